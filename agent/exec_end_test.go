package agent

import (
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/agent/command"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/test/noleak"
)

// runScript follows a shell script in a directory of its own, and returns its spans by
// name.
func runScript(t *testing.T, grace time.Duration, script string, signals chan os.Signal, hasAlready func(os.Signal, int) bool) (spans map[string]*process.Lifetime, dir string, code int) {
	t.Helper()
	needRoot(t)
	o, _ := unreachable()
	o.grace = grace
	clock, err := otelexport.NewClock()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	kept := &keepOutput{}
	_, code, _, err = follow(o, clock, process.NewIDs("test"), kept, &command.Command{
		Path: "/bin/sh", Args: []string{"sh", "-c", "cd " + dir + "; " + script}, Env: []string{"PATH=" + os.Getenv("PATH")},
		Signals: signals, HasAlready: hasAlready,
	})
	if err != nil {
		t.Fatal(err)
	}
	spans = make(map[string]*process.Lifetime)
	ids := make(map[process.SpanID]bool)
	for _, l := range kept.kept {
		spans[l.Name()] = l
		ids[l.Context.Span] = true
	}
	for name, l := range spans {
		if l.ParentSpan != (process.SpanID{}) && !ids[l.ParentSpan] {
			t.Errorf("the parent of %s, %x, is no span", name, l.ParentSpan)
		}
	}
	return spans, dir, code
}

// What ends just after the command has its span.
func TestDescendantsEndAfterCommand(t *testing.T) {
	defer noleak.Verify(t)
	spans, _, _ := runScript(t, time.Minute, `ln -s /bin/sh late; ./late -c 'while [ -d /proc/'$$' ]; do :; done; sleep 0.05; /bin/true' & :`, nil, nil)
	for _, name := range []string{"late", "sleep", "true"} {
		if l := spans[name]; l == nil || l.EndEstimated {
			t.Errorf("the span of %s is %+v", name, l)
		}
	}
}

// What goes on has no span, unless others have it for their parent: those would
// point to nothing.
func TestDescendantsGoOn(t *testing.T) {
	defer noleak.Verify(t)
	spans, dir, _ := runScript(t, 0, `ln -s /bin/sh daemon; ln -s /bin/sleep idle
		./daemon -c './daemon -c "/bin/true; :; ./idle 1000" & echo $! >pid; wait' & 
		while ! [ -s pid ]; do sleep 0.01; done; until pgrep -P $(cat pid) -x idle; do :; done`, nil, nil)
	text, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	daemon, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range append(childrenOf(t, daemon), daemon) {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	if l := spans["daemon"]; l == nil || !l.EndEstimated {
		t.Errorf("the span of the daemon is %+v; want one whose end is estimated", l)
	}
	if spans["idle"] != nil || spans["true"] == nil {
		t.Errorf("there are %d spans: idle is %v, true is %v", len(spans), spans["idle"], spans["true"])
	}
}

func childrenOf(t *testing.T, pid int) (pids []int) {
	t.Helper()
	p := strconv.Itoa(pid)
	text, err := os.ReadFile("/proc/" + p + "/task/" + p + "/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range strings.Fields(string(text)) {
		child, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, child)
	}
	return pids
}

// A signal that a program has sent to procspan alone is forwarded, though the command
// is in the foreground; one of the terminal, which the command has as well, is not.
func TestSignalsOfProgramsAndTerminals(t *testing.T) {
	defer noleak.Verify(t)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, unix.SIGUSR1)
	defer signal.Stop(signals)
	var kept []os.Signal
	both := filepath.Join(t.TempDir(), "both")
	foreground := func(s os.Signal, _ int) bool {
		if s == unix.SIGUSR1 { // no process has sent SIGUSR2
			signals <- unix.SIGUSR2
		}
		if kept = append(kept, s); len(kept) == 2 {
			if err := os.WriteFile(both, nil, 0o600); err != nil {
				t.Error(err)
			}
		}
		return true
	}
	script := `trap 'echo >one' USR1; trap 'exit 4' USR2; kill -USR1 ` + strconv.Itoa(os.Getpid()) + `
		until [ -e one ] && [ -e ` + both + ` ]; do sleep 0.01; done; sleep 0.1; exit 3`
	if _, _, code := runScript(t, 0, script, signals, foreground); code != 3 {
		t.Errorf("the command ended with %d, want 3", code)
	}
	if len(kept) != 2 {
		t.Errorf("the signals were %v, want SIGUSR1 and SIGUSR2", kept)
	}
}
