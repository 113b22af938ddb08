package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/enrich"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

const (
	// pollEvery is how long an event waits at most until it is read. The
	// kernel side does not wake the reader: that would cost the workload
	// itself 13–16 %.
	pollEvery = 100 * time.Millisecond
	// idlePollEvery is the same where nothing has happened for a while: waking
	// ten times a second for nothing costs a thousandth of a processor.
	idlePollEvery = 500 * time.Millisecond
	// lookEvery is after how many events in a row the clock is looked at.
	lookEvery = 1024
	// checkEvery is how often clocks and loss counters are looked at.
	checkEvery = time.Second
	// maxImageBytes bounds what the strings of living processes take.
	maxImageBytes = 256 << 20
)

// output is where lifetimes go: an exporter or a terminal. Its methods are
// called by one goroutine.
type output interface {
	// named tells the path of a cgroup.
	named(id uint64, path string)
	// started tells of an exec; the table knows it already.
	started(*process.Event, *process.Table)
	// ended tells of a finished lifetime, which is valid until it returns.
	ended(*process.Lifetime)
}

// flow is the way of the data: kernel, table, output.
type flow struct {
	log    *slog.Logger
	clock  *otelexport.Clock
	tracer *bpf.Tracer
	policy process.Policy
	table  *process.Table
	out    output
	losses lossLog
	event  process.Event
}

// open starts the kernel side. Its events wait until run is called.
func open(o Options, clock *otelexport.Clock, ids process.IDs, out output, onlyDescendants bool) (*flow, error) {
	tracer, err := bpf.Open(tracerOptions(o.Config, onlyDescendants))
	if err != nil {
		return nil, err
	}
	policy := policy(o.Config)
	limits := process.Limits{Processes: o.Config.Kernel.MaxProcesses, Bytes: maxImageBytes}
	return &flow{
		log:    o.Log,
		clock:  clock,
		tracer: tracer,
		policy: policy,
		table:  process.NewTable(limits, policy, ids),
		out:    out,
		losses: lossLog{log: o.Log},
	}, nil
}

// adopt takes in the processes that are alive already.
func (f *flow) adopt(c config.Config) error {
	living, err := f.tracer.Living()
	if err != nil {
		return err
	}
	living = slices.DeleteFunc(living, func(p process.Living) bool { return p.KernelThread })
	cgroups := readLiving(living, c)
	for i := range living {
		in, paths := living[i].Groups.Cgroup, cgroups[i]
		f.out.named(in.V2, paths.v2)
		if in.V1 != in.V2 {
			f.out.named(in.V1, paths.v1)
		}
	}
	f.table.Adopt(living)
	return nil
}

// cgroupPaths are those of a process; "" where they are not known.
type cgroupPaths struct{ v2, v1 string }

// readLiving sets the images of processes that no event will tell of, and
// returns the paths of their cgroups. There can be thousands, and what is read is
// made in the kernel: several processors take part.
func readLiving(living []process.Living, c config.Config) []cgroupPaths {
	proc, names := enrich.NewProc("/proc"), variables(c)
	paths := make([]cgroupPaths, len(living))
	var next atomic.Int64
	var readers sync.WaitGroup
	for range min(8, runtime.GOMAXPROCS(0)) {
		readers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(living)); i = next.Add(1) - 1 {
				p := &living[i]
				if !p.Execed {
					continue
				}
				// One that cannot be read has ended, or will do with its name only.
				p.Image, _ = proc.Image(p.ID, c.Capture.ArgsMaxBytes, names)
				paths[i].v2, paths[i].v1, _ = proc.Cgroup(p.ID)
			}
		})
	}
	readers.Wait()
	return paths
}

// run moves events until done is closed, then detaches and moves the rest.
func (f *flow) run(done <-chan struct{}) error {
	release := f.interruptAfter(done)
	err := f.move(done)
	release()
	return errors.Join(err, f.finish())
}

func (f *flow) move(done <-chan struct{}) error {
	check, wait := time.Now().Add(checkEvery), pollEvery
	for {
		select {
		case <-done:
			return nil
		default:
		}
		moved, err := f.drain(time.Now().Add(wait))
		if err != nil {
			return err
		}
		wait = min(2*wait, idlePollEvery)
		if moved {
			wait = pollEvery
		}
		if now := time.Now(); now.After(check) {
			check = now.Add(checkEvery)
			f.clock.Sample()
			f.handOn(f.table.Advance(bootTime()))
			f.losses.check(f.tracer, f.table, false)
		}
	}
}

// bootTime is the time of events, in nanoseconds since boot.
func bootTime() uint64 {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return 0 // no event is so old
	}
	return uint64(now.Nano())
}

// interruptAfter has the reader return early once done is closed. The function
// it returns ends that.
func (f *flow) interruptAfter(done <-chan struct{}) (release func()) {
	ended, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-done:
			f.tracer.Interrupt()
		case <-ended:
		}
	}()
	return func() {
		close(ended)
		<-gone
	}
}

// drain moves what comes until the deadline, and what the ring holds then;
// where events come faster than they are moved, what fits in one more pollEvery.
// It reports whether there was any.
func (f *flow) drain(deadline time.Time) (moved bool, err error) {
	for n := 1; ; n++ {
		if n%lookEvery == 0 && time.Since(deadline) > pollEvery {
			return true, nil
		}
		switch err := f.read(deadline); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return n > 1, nil
		case err != nil:
			return n > 1, err
		}
	}
}

// read moves one event, or counts one that is malformed.
func (f *flow) read(deadline time.Time) error {
	switch err := f.tracer.Read(deadline, &f.event); {
	case errors.Is(err, bpf.ErrMalformed):
		f.losses.malformed(err)
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case err != nil:
		return fmt.Errorf("read the ring buffer: %w", err)
	}
	f.apply()
	return nil
}

// apply takes the event to the table and to the output.
func (f *flow) apply() {
	f.handOn(f.table.Apply(&f.event))
	switch f.event.Kind {
	case process.Named:
		f.out.named(f.event.CgroupID, f.event.CgroupPath)
	case process.Exec:
		f.out.started(&f.event, f.table)
	}
}

func (f *flow) handOn(ended []*process.Lifetime) {
	for _, l := range ended {
		f.out.ended(l)
		f.table.Recycle(l)
	}
}

// finish stops the kernel side and moves the events that it had still made:
// what the ring holds, and no more.
func (f *flow) finish() error {
	err := f.tracer.Detach()
	for {
		switch readErr := f.read(time.Now()); {
		case readErr == nil:
			continue
		case !errors.Is(readErr, os.ErrDeadlineExceeded):
			err = errors.Join(err, readErr)
		}
		break
	}
	f.handOn(f.table.Close())
	f.losses.check(f.tracer, f.table, true)
	return errors.Join(err, f.tracer.Close())
}
