package agent

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

// storm starts processes from two workers until the test ends.
func storm(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for ctx.Err() == nil {
				_ = exec.CommandContext(ctx, "/bin/true").Run() // killed at the end
			}
		})
	}
	t.Cleanup(func() {
		stop()
		workers.Wait()
	})
}

// slowOutput takes longer for an event than it takes until the next.
type slowOutput struct{ first func() }

func (o *slowOutput) started(*process.Event, *process.Table) {
	o.first()
	time.Sleep(10 * time.Millisecond)
}
func (o *slowOutput) ended(*process.Lifetime) {}
func (o *slowOutput) named(uint64, string)    {}

// A flow that falls behind still looks at its losses, and stops when told to.
func TestFlowThatFallsBehind(t *testing.T) {
	needRoot(t)
	o, _, log := options()
	o.Config.Kernel.RingSize = 64 << 10
	clock, err := otelexport.NewClock()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	f, err := open(o, clock, process.NewIDs("test"), &slowOutput{first: func() {
		if strings.Contains(log.String(), "ring buffer full") {
			select {
			case <-done:
			default:
				close(done) // the loss was told while the load goes on
			}
		}
	}}, false)
	if err != nil {
		t.Fatal(err)
	}
	storm(t)
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(f.run(done), f.finish(), f.tracer.Close()) }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatalf("it does not tell its losses, or does not stop; it logged:\n%s", log)
	}
}

// blockedConsole takes nothing until it is released, as a terminal stopped with
// Ctrl-S.
type blockedConsole struct{ release chan struct{} }

func (c blockedConsole) Write(p []byte) (int, error) {
	<-c.release
	return len(p), nil
}

func TestRunStopsThoughTheTerminalIsBlocked(t *testing.T) {
	needRoot(t)
	o, _, _ := options()
	console := blockedConsole{make(chan struct{})}
	defer close(console.release)
	o.Console = console
	ctx, stop := context.WithCancel(context.Background())
	hurry, second := context.WithCancel(context.Background())
	o.Hurry = hurry
	o.Ready = func() {
		stop()
		second()
	}
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, o) }()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "the terminal takes no more") {
			t.Errorf("got %v, want an error that names the terminal", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not stop")
	}
}
