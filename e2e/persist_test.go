package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// unwatched is how many lifetimes there are while no agent runs.
var unwatched = flag.Int("unwatched", 3000, "lifetimes while no agent runs, in TestPersist; 500 a second")

// bpffs mounts a BPF file system for the test, and returns where procspan may
// pin its programs there.
func bpffs(t *testing.T) (pins string) {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("bpf", dir, "bpf", 0, ""); err != nil {
		t.Fatalf("mount a BPF file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "procspan")
}

// load starts processes of a name that nobody else has, steadily, from two
// workers, until it is told to stop.
type load struct {
	name    string
	stop    context.CancelFunc
	workers sync.WaitGroup

	mu   sync.Mutex
	pids []int
	errs []error
}

// startLoad starts perSecond processes a second.
func startLoad(t *testing.T, name string, perSecond int) *load {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.Symlink("/bin/true", path); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	l := &load{name: name, stop: stop}
	t.Cleanup(func() { l.end() })
	const workers = 2
	for range workers {
		l.workers.Go(func() {
			tick := time.NewTicker(workers * time.Second / time.Duration(perSecond))
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				cmd := exec.Command(path)
				cmd.Env = cleanEnviron()
				err := cmd.Run()
				l.mu.Lock()
				if err != nil {
					l.errs = append(l.errs, err)
				} else {
					l.pids = append(l.pids, cmd.Process.Pid)
				}
				l.mu.Unlock()
			}
		})
	}
	return l
}

// end stops the load, and returns the pids of all that ran.
func (l *load) end() (pids []int, err error) {
	l.stop()
	l.workers.Wait()
	return l.pids, errors.Join(l.errs...)
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pids)
}

// await returns when so many more have ended.
func (l *load) await(t *testing.T, more int) {
	t.Helper()
	want := l.count() + more
	err := poll(t.Context(), 10*time.Minute, func(context.Context) error {
		if got := l.count(); got < want {
			return fmt.Errorf("%d processes have ended, want %d", got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// check holds that there is a span of each process of the load, and one only:
// one that came twice is the same span.
func (l *load) check(t *testing.T, spans []*span) {
	t.Helper()
	pids, err := l.end()
	if err != nil {
		t.Fatalf("run the load: %v", err)
	}
	byPID := map[int]map[string]*span{}
	for _, s := range spans {
		if s.Name != l.name {
			continue
		}
		pid := int(s.Attributes["process.pid"].(int64))
		if byPID[pid] == nil {
			byPID[pid] = map[string]*span{}
		}
		if other := byPID[pid][s.SpanID]; other != nil && (other.TraceID != s.TraceID || !other.Start.Equal(s.Start) || !other.End.Equal(s.End)) {
			t.Errorf("%v has come as another one, too: in trace %s and %s, from %s to %s and from %s to %s", s,
				s.TraceID, other.TraceID, s.Start, s.End, other.Start, other.End)
		}
		byPID[pid][s.SpanID] = s
	}
	times := map[int]int{}
	for _, pid := range pids {
		times[pid]++
	}
	missing := 0
	for pid, n := range times {
		if got := len(byPID[pid]); got < n {
			missing += n - got
		} else if got > n {
			t.Errorf("pid %d ran %d times and has %d spans", pid, n, got)
		}
		for _, s := range byPID[pid] {
			if s.Attributes["process.exit.code"] != int64(0) || s.Attributes["procspan.start.estimated"] != nil {
				t.Errorf("%v: exit code %v, start estimated %v", s, s.Attributes["process.exit.code"], s.Attributes["procspan.start.estimated"])
			}
		}
	}
	t.Logf("%d processes, %d spans missing", len(pids), missing)
	if missing > 0 {
		t.Errorf("%d of %d processes have no span", missing, len(pids))
	}
}

// TestPersist kills the agent in the middle of a load, lets the load go on for a
// while, and starts another agent: every lifetime has its span, and trees that
// span the gap are one trace.
func TestPersist(t *testing.T) {
	requireObservable(t)
	sink, pins := startSink(t), bpffs(t)
	config := sink.config(t, "500", fmt.Sprintf(
		"distribution: {procspan: {delivery: {directory: %q}, daemon: {persist: true, pin_directory: %q, state_directory: %q}}}",
		t.TempDir(), pins, filepath.Join(t.TempDir(), "state")))
	binary := procspanBinary(t)
	t.Cleanup(func() { // after the agents, which hold the state
		output, err := exec.Command(binary, "detach", "--config", config).CombinedOutput()
		if err != nil || !strings.Contains(string(output), "have ended") {
			t.Errorf("procspan detach ends with %v: %s", err, output)
		}
	})

	first := startRun(t, config)
	shell := startHeld(t, "sh", "-c", `date -R; while read step; do env "$step"; done; true`)
	shell.await(t, "sh")
	load := startLoad(t, "persist-load", 500)
	step := func(program string) {
		if _, err := fmt.Fprintln(shell.input.(*os.File), program); err != nil {
			t.Fatal(err)
		}
	}
	step("uname")
	load.await(t, 500)
	first.cmd.Process.Kill()
	<-first.exited
	step("hostname")
	load.await(t, *unwatched)
	second := startRun(t, config)
	step("whoami")
	load.await(t, 500)
	ended := shell.end(t, "sh")
	if _, err := load.end(); err != nil {
		t.Fatal(err)
	}
	if status := second.stop(); status != "exit status 0" {
		t.Errorf("procspan ends with %s", status)
	}
	sink.finish(t)

	spans := sink.spans(t)
	load.check(t, spans)
	spans = once(spans)
	root := ended.find(t, spans)
	if root == nil {
		return
	}
	for _, name := range []string{"date", "uname", "hostname", "whoami"} {
		found := 0
		for _, s := range spans {
			if s.Name == name && s.TraceID == root.TraceID && s.ParentID == root.SpanID {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%d spans of %s are under %v, want 1", found, name, root)
		}
	}
	for _, want := range []string{"kernel programs of the agent before taken over", "msg=ledger"} {
		if !strings.Contains(second.printed(), want) {
			t.Errorf("the second agent does not say %q", want)
		}
	}
	if strings.Contains(second.printed(), "level=ERROR") || !strings.Contains(second.printed(), " lost=0\n") {
		t.Errorf("the second agent has lost something:\n%s", second.printed())
	}
}

// once returns the spans without those that came again.
func once(spans []*span) (different []*span) {
	seen := map[string]bool{}
	for _, s := range spans {
		if !seen[s.SpanID] {
			seen[s.SpanID] = true
			different = append(different, s)
		}
	}
	return different
}
