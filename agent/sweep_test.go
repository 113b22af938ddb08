package agent

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/process"
)

// A loss leads to one sweep, a while after it, and no more than one in a while; there
// is one now and then without any.
func TestSweeperNote(t *testing.T) {
	type step struct {
		after time.Duration
		lost  uint64
		now   bool // there is to be a sweep
		later bool // and one soon
		owed  bool
	}
	for _, tc := range []struct {
		name  string
		steps []step
	}{
		{"nothing is lost", []step{{0, 0, false, false, false}, {time.Minute, 0, false, false, false}}},
		{"one loss", []step{
			{0, 0, false, false, false},
			{time.Second, 1, false, true, true},
			{sweepAfter - time.Second, 1, false, true, true},
			{time.Second, 1, true, false, false},
			{time.Second, 1, false, false, false},
		}},
		{"losses go on", []step{
			{0, 1, false, true, true},
			{time.Second, 2, false, true, true},
			{sweepAfter, 3, true, false, false},
			{time.Second, 4, false, true, true},
			{sweepAfter, 5, true, false, false},
		}},
		{"now and then", []step{
			{0, 0, false, false, false},
			{sweepEvery - time.Second, 0, false, false, false},
			{time.Second, 0, true, false, false},
			{time.Second, 0, false, false, false},
			{sweepEvery, 0, true, false, false},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, now := &sweeper{}, time.Now()
			for i, step := range tc.steps {
				now = now.Add(step.after)
				losses := []bpf.Loss{
					{Reason: "events", Count: step.lost, Concerns: bpf.Event},
					{Reason: "details", Count: uint64(100 * i)}, // no sweep finds these
				}
				if got := s.note(losses, now); got != step.now || s.pending() != step.later || s.owed(losses) != step.owed {
					t.Errorf("step %d: now %t, later %t, owed %t; want %+v", i, got, s.pending(), s.owed(losses), step)
				}
			}
		})
	}
}

// A sweep is owed for what was lost after the last look.
func TestSweeperOwed(t *testing.T) {
	s := &sweeper{}
	s.note(nil, time.Now())
	if s.owed(nil) {
		t.Error("a sweep is owed, and nothing is lost")
	}
	if !s.owed([]bpf.Loss{{Count: 1, Concerns: bpf.End}}) {
		t.Error("no sweep is owed for a loss")
	}
}

// A listing that fails ends nothing: it is logged, counted and tried again.
func TestListingFails(t *testing.T) {
	needRoot(t)
	f := openFlow(t)
	log := &buffer{}
	f.log, f.losses = newLog(log), newLossLog(newLog(log))
	fails := 3
	list := f.list
	f.list = func() ([]process.Living, error) {
		if fails--; fails >= 0 {
			return nil, errors.New("too many open files")
		}
		return list()
	}
	f.adopt(nil)
	now := time.Now()
	for n := range 2 {
		if !f.sweeps.pending() {
			t.Fatalf("after %d failures no sweep is due", n+1)
		}
		now = now.Add(sweepAfter)
		if !f.sweeps.note(nil, now) {
			t.Fatalf("after %d failures no sweep is tried", n+1)
		}
		if err := f.sweep(nil, now); err != nil {
			t.Fatal(err)
		}
	}
	f.losses.check(f.tracer.Losses, f.table.Stats(), false)
	for _, want := range []string{"cannot list running processes, will retry", "too many open files", `reason="listing of running processes failed" count=3`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in\n%s", want, log)
		}
	}
	if n := f.table.Stats().Living; n != 0 {
		t.Fatalf("%d processes are known although none was listed", n)
	}
	now = now.Add(sweepAfter)
	if !f.sweeps.note(nil, now) {
		t.Fatal("no sweep is tried")
	}
	if err := f.sweep(nil, now); err != nil {
		t.Fatal(err)
	}
	if n := f.table.Stats().Living; bpf.SeesAll() && n < 5 {
		t.Errorf("%d processes are known after the list could be read again", n)
	}
}

// A process that executes another program while it is adopted is read again: the exec
// that is still to come is not taken for one from the program that it makes.
func TestAdoptWhileExecuting(t *testing.T) {
	needRoot(t)
	f := openFlow(t)
	cmd := exec.Command("/bin/sh", "-c", "kill -STOP $$; exec /bin/sleep 1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var status unix.WaitStatus
	if _, err := unix.Wait4(cmd.Process.Pid, &status, unix.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("wait for sh to stop: %v, %v", status, err)
	}
	all, err := f.list()
	if err != nil {
		t.Fatal(err)
	}
	var listed []process.Living
	for _, p := range all {
		if p.ID.PID == uint32(cmd.Process.Pid) {
			listed = append(listed, p)
		}
	}
	if len(listed) != 1 {
		t.Skip("the pid is another one in the initial pid namespace")
	}
	if err := cmd.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for f.event = (process.Event{}); f.event.Kind != process.Exec || f.event.ID != listed[0].ID || f.event.ExecID <= listed[0].ExecID; {
		if err := f.tracer.Read(time.Now().Add(time.Second), &f.event); err != nil {
			t.Fatal(err)
		}
	}
	f.look(nil, listed, patience) // the list is older than the exec, /proc is newer
	if want := f.event.ExecID; listed[0].ExecID != want || !strings.HasSuffix(listed[0].Image.Executable, "sleep") {
		t.Fatalf("it is listed as exec %d of %s, want %d of sleep", listed[0].ExecID, listed[0].Image.Executable, want)
	}
	f.takeIn(listed)
	f.apply()
	ended := f.table.Apply(&process.Event{Kind: process.Exit, ID: listed[0].ID, Execed: true, At: f.event.At + 1})
	if len(ended) != 1 || len(ended[0].Reexecs) != 1 || ended[0].Reexecs[0].From != "" {
		t.Errorf("got %+v; want one re-exec from what is not known", ended)
	}
}

// What makes the table or the output panic is counted and logged once, and what comes
// after it is processed: by this agent, and by the next one, which reads it again.
func TestPanic(t *testing.T) {
	bomb := func(h *host) *host {
		h.flow.out = panicking{h.flow.out.(exportOutput)}
		return h
	}
	dir := t.TempDir()
	first := bomb(startAgent(t, dir, 20, false))
	first.keep.snapshot(false)
	first.live(100)
	before, _ := first.exporter.Stats()
	if n := first.flow.losses.undecoded; n < 5 || n > 50 || before.Accepted < 50 {
		t.Errorf("%d records made it panic, %d spans were made", n, before.Accepted)
	}
	if n := strings.Count(first.log.String(), "panic and is skipped"); n != 1 {
		t.Errorf("it is logged %d times:\n%s", n, first.log)
	}
	undecoded := first.flow.losses.undecoded
	first.kill()
	second := bomb(startAgent(t, dir, 0, false))
	if !second.keep.restore() {
		t.Fatal("nothing is restored")
	}
	after, _ := second.exporter.Stats()
	if after.Restored != before.Accepted || second.flow.losses.undecoded != undecoded {
		t.Errorf("%d spans are restored and %d records made it panic; want %d and %d", after.Restored, second.flow.losses.undecoded, before.Accepted, undecoded)
	}
}

// panicking panics at each lifetime whose pid is a multiple of ten.
type panicking struct{ exportOutput }

func (o panicking) ended(l *process.Lifetime) {
	if l.ID.PID%10 == 0 {
		panic("a bug")
	}
	o.exportOutput.ended(l)
}
