package agent

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

// keptFlow returns a flow with a ring of 256 KiB that outlives its agent, and its
// log.
func keptFlow(t *testing.T) (*flow, *buffer) {
	t.Helper()
	mount := t.TempDir()
	if err := unix.Mount("bpf", mount, "bpf", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(mount, 0); err != nil {
			t.Error(err)
		}
	})
	o, log := unreachable()
	o.Config.Kernel.RingSize = 256 << 10
	o.Config.Capture.ArgsMaxBytes = 32 << 10
	o.Config.Daemon.Persist = true
	o.Config.Daemon.PinDirectory = filepath.Join(mount, "procspan")
	o.Config.Daemon.StateDirectory = filepath.Join(t.TempDir(), "state")
	clock, err := otelexport.NewClock()
	if err != nil {
		t.Fatal(err)
	}
	eo, err := exporterOptions(o, clock)
	if err != nil {
		t.Fatal(err)
	}
	exporter := otelexport.Discard(eo)
	out := exportOutput{exporter, newOrigins(o.Config.ServiceName, exporter)}
	f, err := open(o, clock, process.NewIDs("test"), out, false)
	if err != nil {
		t.Fatal(err)
	}
	if f.keep, err = openKeeper(o, "test"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		flush(o, exporter)
		for _, err := range []error{f.tracer.Close(), f.keep.close()} {
			if err != nil {
				t.Error(err)
			}
		}
		if _, err := Detach(o.Config.Daemon); err != nil {
			t.Error(err)
		}
	})
	if err := f.keep.resume(f, out); err != nil {
		t.Fatal(err)
	}
	return f, log
}

// What is read makes room in the ring in time, however few events fill it.
func TestKeeperMakesRoom(t *testing.T) {
	needRoot(t)
	f, log := keptFlow(t)
	long := strings.Repeat("x", 16<<10)
	for n := 0; n < 4*int(f.ringSize); n += len(long) {
		if err := exec.Command("/bin/true", long).Run(); err != nil {
			t.Fatal(err)
		}
		if _, err := f.drain(time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	losses, err := f.tracer.Losses()
	if n := eventsLost(losses); err != nil || n != 0 {
		t.Errorf("%d events were lost, %v: %v; the log says\n%s", n, err, losses, log)
	}
}
