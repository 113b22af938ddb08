package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/selfmetrics"
)

const (
	// pollEvery is how long an event waits at most until it is read. The
	// kernel side does not wake the reader: that would cost the workload
	// itself 13–16 %.
	pollEvery = 100 * time.Millisecond
	// idlePollEvery is the same where nothing has happened for a while: each time
	// that the agent comes by for nothing costs, and so does the wait of whoever
	// looks at a host where little happens.
	idlePollEvery = 2 * pollEvery
	// lookEvery is after how many events in a row the clock is looked at.
	lookEvery = 1024
	// checkEvery is how often clocks and loss counters are looked at; the latter,
	// which cost a dozen system calls, where nothing happens only every idleChecks
	// times.
	checkEvery = time.Second
	idleChecks = 10
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
	limits process.Limits
	ids    process.IDs
	table  *process.Table
	out    output
	losses lossLog
	sweeps sweeper
	event  process.Event
	// began is what the table had counted when the flow began, endsBefore how many
	// ends of programs the kernel had lost.
	began      process.Stats
	endsBefore uint64
	ends       uint64 // as of the last look
	ringSize   uint64

	onlyDescendants bool
	// What is asked of /proc.
	argsMaxBytes int
	variables    []string
	// keep, when set, keeps what another agent needs to go on.
	keep *keeper
	// ask, when set, asks for the ledger, which tell tells.
	ask  <-chan os.Signal
	tell func()
	seen seen
	self *selfmetrics.Watch
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
		log:      o.Log,
		clock:    clock,
		tracer:   tracer,
		policy:   policy,
		limits:   limits,
		ids:      ids,
		ringSize: uint64(o.Config.Kernel.RingSize),

		onlyDescendants: onlyDescendants,

		table:        process.NewTable(limits, policy, ids),
		out:          out,
		losses:       lossLog{log: o.Log},
		argsMaxBytes: o.Config.Capture.ArgsMaxBytes,
		variables:    variables(o.Config),
		ask:          o.Ask,
		tell:         func() {},
		self:         o.self,
	}, nil
}

// run moves events until done is closed.
func (f *flow) run(done <-chan struct{}) error {
	release := f.interruptAfter(done)
	defer release()
	check, wait, idle := time.Now().Add(checkEvery), pollEvery, 0
	for {
		select {
		case <-done:
			return nil
		case <-f.ask:
			f.tell()
		default:
		}
		moved, err := f.drain(time.Now().Add(wait))
		if err != nil {
			return err
		}
		wait = min(2*wait, idlePollEvery)
		if moved {
			wait, idle = pollEvery, 0
		}
		if now := time.Now(); now.After(check) {
			check = now.Add(checkEvery)
			if idle--; idle < 0 || f.sweeps.waits() {
				idle = idleChecks
				if err := f.lookForLosses(now); err != nil {
					return err
				}
			}
			f.clock.Sample()
			f.handOn(f.table.Advance(bootTime()))
			f.publish(true)
			f.keep.look(f, now)
		}
	}
}

// lookForLosses tells what was lost, and repairs what can be.
func (f *flow) lookForLosses(now time.Time) error {
	f.losses.check(f.tracer.Losses, f.table.Stats(), false)
	losses := f.losses.kernel
	f.ends = endsLost(losses)
	if f.sweeps.note(losses, now) {
		return f.sweep()
	}
	return nil
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
		f.keep.makeRoom(f)
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
	f.seen[f.event.Kind]++
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

// finish moves the events that the kernel side has still made, and ends the table,
// unless another agent takes over from here.
func (f *flow) finish() error {
	err := f.tracer.Detach()
	err = errors.Join(err, f.catchUp())
	losses, lossErr := f.tracer.Losses()
	f.ends = endsLost(losses)
	if f.sweeps.owed(losses) {
		err = errors.Join(err, f.sweep())
	}
	if f.keep == nil {
		f.handOn(f.table.Close())
	}
	f.losses.check(func() ([]bpf.Loss, error) { return losses, lossErr }, f.table.Stats(), true)
	f.publish(false)
	return err
}

// catchUp moves what the ring holds now.
func (f *flow) catchUp() error {
	for end := f.tracer.Written(); int64(end-f.tracer.Position()) > 0; {
		f.keep.makeRoom(f)
		if err := f.read(time.Now()); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return nil
}
