package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/agent/command"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/test/noleak"
)

// TestMain lets this binary be started as a launcher.
func TestMain(m *testing.M) {
	if command.IsLauncher() {
		command.Become()
	}
	os.Exit(m.Run())
}

// keepOutput keeps lifetimes.
type keepOutput struct{ kept []*process.Lifetime }

func (o *keepOutput) started(*process.Event, *process.Table) {}
func (o *keepOutput) named(uint64, string)                   {}
func (o *keepOutput) ended(l *process.Lifetime) {
	kept := *l
	o.kept = append(o.kept, &kept)
}

// The span of a command begins with the command and not with the launcher, and
// its environment has the name of that span.
func TestFollow(t *testing.T) {
	needRoot(t)
	const (
		trace  = "0af7651916cd43dd8448eb211c80319c"
		remote = "00-" + trace + "-b7ad6b7169203331-0"
	)
	for _, tc := range []struct {
		name        string
		env         []string
		join        bool
		sampled     bool
		traceparent string // without the span id; "" for that of its own
		state       string
	}{
		{"alone", []string{"TRACESTATE=a=1"}, true, true, "", ""},
		{"told", []string{"TRACEPARENT=" + remote + "1", "TRACESTATE=a=1"}, true, true, trace, "a=1"},
		{"told, not sampled", []string{"TRACEPARENT=" + remote + "0"}, true, false, trace, ""},
		{"told, random", []string{"TRACEPARENT=" + remote + "3"}, true, true, trace, ""},
		{"told nonsense", []string{"TRACEPARENT=nonsense", "TRACESTATE=a=1"}, true, true, "", ""},
		{"not to join", []string{"TRACEPARENT=" + remote + "1"}, false, true, trace, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer noleak.Verify(t)
			o, _ := unreachable()
			honours := true
			o.Config.TracePolicy.Join, o.Config.TracePolicy.HonourSampled = tc.join, &honours
			clock, err := otelexport.NewClock()
			if err != nil {
				t.Fatal(err)
			}
			ids, kept := process.NewIDs("test"), &keepOutput{}
			file := filepath.Join(t.TempDir(), "environment")
			script := `printf "$TRACEPARENT $TRACESTATE" >"$FILE"; exit 3`
			_, code, at, err := follow(o, clock, ids, kept, &command.Command{
				Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: append(tc.env, "FILE="+file),
			})
			if err != nil || code != 3 {
				t.Fatalf("got %d, %v; want 3", code, err)
			}
			written, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			traceparent, state, _ := strings.Cut(string(written), " ")
			if !tc.join {
				if traceparent != remote+"1" || len(kept.kept) != 1 {
					t.Errorf("%d spans, TRACEPARENT %q; want 1, and that of before", len(kept.kept), traceparent)
				}
				return
			}
			named, ok := otelexport.Extract(traceparent, state)
			if random := tc.name == "told, random"; named.Random != random {
				t.Errorf("TRACEPARENT is %q, want the random flag %t", traceparent, random)
			}
			if !ok || named.Sampled != tc.sampled || named.State != tc.state || named.Context.Trace != at.trace {
				t.Errorf("TRACEPARENT is %q and TRACESTATE %q; want trace %x, sampled %t, %q", traceparent, state, at.trace, tc.sampled, tc.state)
			}
			if !tc.sampled {
				if len(kept.kept) != 0 {
					t.Errorf("%d spans of a trace that is not sampled", len(kept.kept))
				}
				return
			}
			if len(kept.kept) != 1 {
				t.Fatalf("%d spans, want that of sh", len(kept.kept))
			}
			l := kept.kept[0]
			if l.StartEstimated || len(l.Reexecs) > 0 || l.Name() != "sh" || l.Start <= l.ID.Start {
				t.Errorf("the span is %+v; want one that begins with sh", l)
			}
			if l.Context != named.Context {
				t.Errorf("the span is %x, TRACEPARENT says %x", l.Context, named.Context)
			}
			if told := tc.traceparent != ""; l.ParentRemote != told || (l.ParentSpan != process.SpanID{}) != told {
				t.Errorf("parent %x, remote %t; want one: %t", l.ParentSpan, l.ParentRemote, told)
			}
		})
	}
}

// Of the signals that come before the command, those that end a program keep it
// from starting. A terminal that changes its size, or Ctrl-Z and fg, do not.
func TestSignalsBeforeCommand(t *testing.T) {
	needRoot(t)
	for _, tc := range []struct {
		name    string
		signals []os.Signal
		code    int
	}{
		{"a resize, and fg", []os.Signal{unix.SIGWINCH, unix.SIGCONT}, 3},
		{"Ctrl-C", []os.Signal{unix.SIGINT}, 130},
		{"a resize, then Ctrl-C", []os.Signal{unix.SIGWINCH, unix.SIGINT}, 130},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer noleak.Verify(t)
			o, _, _ := options()
			signals := make(chan os.Signal, len(tc.signals))
			for _, s := range tc.signals {
				signals <- s
			}
			code, err := Exec(o, command.Command{Path: "/bin/sh", Args: []string{"sh", "-c", "exit 3"}, Signals: signals})
			if code != tc.code || err != nil {
				t.Errorf("got %d, %v; want %d", code, err, tc.code)
			}
		})
	}
}

// A command's span has its own usage, not that of the launcher that became it.
func TestCommandUsage(t *testing.T) {
	needRoot(t)
	o, _ := unreachable()
	clock, err := otelexport.NewClock()
	if err != nil {
		t.Fatal(err)
	}
	kept := &keepOutput{}
	if _, code, _, err := follow(o, clock, process.NewIDs("test"), kept, &command.Command{Path: "/bin/true", Args: []string{"true"}}); err != nil || code != 0 {
		t.Fatalf("got %d, %v; want 0", code, err)
	}
	if len(kept.kept) != 1 {
		t.Fatalf("%d spans, want that of true", len(kept.kept))
	}
	// true takes some 100 faults and 2 MiB, a launcher 1,000 and 18.
	if u := kept.kept[0].Usage; u.MinorFaults == 0 || u.MinorFaults > 500 || u.PeakRSS > 8<<20 || u.WriteChars > 0 {
		t.Errorf("usage %+v, want that of true alone", u)
	}
}
