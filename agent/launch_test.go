package agent

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

func TestSetVariable(t *testing.T) {
	for _, tc := range []struct {
		name      string
		env, want []string
		variable  string
	}{
		{"new", []string{"A=1"}, []string{"A=1", "B=2"}, "B=2"},
		{"in its old place", []string{"A=1", "B=1", "C=1"}, []string{"A=1", "B=2", "C=1"}, "B=2"},
		{"a longer name is another", []string{"BB=1"}, []string{"BB=1", "B=2"}, "B=2"},
		{"empty", []string{"B=1"}, []string{"B="}, "B="},
		{"removed", []string{"A=1", "B=1"}, []string{"A=1"}, "B"},
		{"removed, and not there", []string{"A=1"}, []string{"A=1"}, "B"},
		{"nothing", []string{"A=1", "=1"}, []string{"A=1", "=1"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := setVariable(slices.Clone(tc.env), tc.variable); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
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
		{"told nonsense", []string{"TRACEPARENT=nonsense", "TRACESTATE=a=1"}, true, true, "", ""},
		{"not to join", []string{"TRACEPARENT=" + remote + "1"}, false, true, trace, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			o, _ := unreachable()
			o.Config.TracePolicy.Join = tc.join
			clock, err := otelexport.NewClock()
			if err != nil {
				t.Fatal(err)
			}
			ids, kept := process.NewIDs("test"), &keepOutput{}
			file := filepath.Join(t.TempDir(), "environment")
			script := `printf "$TRACEPARENT $TRACESTATE" >"$FILE"; exit 3`
			_, code, got, err := follow(o, clock, ids, kept, Command{
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
			if !ok || named.Sampled != tc.sampled || named.State != tc.state || named.Context.Trace != got {
				t.Errorf("TRACEPARENT is %q and TRACESTATE %q; want trace %x, sampled %t, %q", traceparent, state, got, tc.sampled, tc.state)
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

func TestLaunchFails(t *testing.T) {
	for _, tc := range []struct {
		path string
		code int
	}{{"/nonexistent", 127}, {"/", 126}, {"/etc/hostname", 126}} {
		l, err := startLauncher(Command{Path: tc.path, Args: []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		var start *StartError
		if err := l.launch(nil); !errors.As(err, &start) || start.Code != tc.code {
			t.Errorf("%s: got %v, want a StartError with code %d", tc.path, err, tc.code)
		}
	}
}

// A launcher that is not needed after all goes away.
func TestLaunchAborted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "made")
	l, err := startLauncher(Command{Path: "/usr/bin/touch", Args: []string{"touch", file}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.abort(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the command ran: %v", err)
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
			defer goleak.VerifyNone(t)
			o, _, _ := options()
			signals := make(chan os.Signal, len(tc.signals))
			for _, s := range tc.signals {
				signals <- s
			}
			code, err := Exec(o, Command{Path: "/bin/sh", Args: []string{"sh", "-c", "exit 3"}, Signals: signals})
			if code != tc.code || err != nil {
				t.Errorf("got %d, %v; want %d", code, err, tc.code)
			}
		})
	}
}

// A launcher that Ctrl-C has ended, as procspan in the same group, says so.
func TestLauncherKilled(t *testing.T) {
	l, err := startLauncher(Command{Path: "/bin/true", Args: []string{"true"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.process.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if killed, err := l.abort(); killed != unix.SIGKILL || err != nil {
		t.Errorf("got %v, %v; want %v", killed, err, unix.SIGKILL)
	}
}

// The command runs as the user it is for, with the groups of that user.
func TestLaunchAs(t *testing.T) {
	needRoot(t)
	ours, childs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	stdout := os.Stdout
	os.Stdout = childs
	l, err := startLauncher(Command{
		Path: "/bin/sh", Args: []string{"sh", "-c", `echo "$(id -u) $(id -g) $(id -G) $A"`}, Env: []string{"PATH=" + os.Getenv("PATH")},
		Credential: &syscall.Credential{Uid: 65534, Gid: 65533, Groups: []uint32{7, 8}},
	})
	os.Stdout = stdout
	childs.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.launch([]string{"A=1"}); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(ours)
	if want := "65534 65533 65533 7 8 1\n"; string(got) != want || err != nil {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if _, err := l.process.Wait(); err != nil {
		t.Error(err)
	}
}
