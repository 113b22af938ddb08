package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/internal/boottime"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/selfmetrics"
)

const (
	// pollEvery is the longest time that an event waits in the ring. The BPF programs
	// do not wake the reader for each: that would cost the workload 13–16 %.
	pollEvery = 100 * time.Millisecond
	// idlePollEvery is the same while nothing happens: each look costs, on a host
	// where little happens most of all.
	idlePollEvery = 2 * pollEvery
	// lookEvery is after how many events in a row the time is checked.
	lookEvery = 1024
	// checkEvery is how often clocks and loss counters are checked; the latter, which
	// cost a dozen system calls, only every idleChecks times while nothing happens.
	checkEvery = time.Second
	idleChecks = 10
	// maxImageBytes bounds the strings of running processes; see budget.
	maxImageBytes = 256 << 20
)

// output is where lifetimes go: an exporter or a terminal. Its methods are
// called by one goroutine.
type output interface {
	// named reports the path of a cgroup.
	named(id uint64, path string)
	// started reports an exec; the table has it already.
	started(*process.Event, *process.Table)
	// ended reports a finished lifetime, which is valid until it returns.
	ended(*process.Lifetime)
}

// flow moves the data: kernel, table, output.
type flow struct {
	log    *slog.Logger
	clock  *otelexport.Clock
	tracer *bpf.Tracer
	list   func() ([]process.Living, error) // lists the running processes
	trees  trees
	policy process.Policy
	// cgroups has the paths of cgroups, for rules.
	cgroups *otelexport.Workloads
	limits  process.Limits
	ids     process.IDs
	table   *process.Table
	out     output
	losses  lossLog
	sweeps  sweeper
	event   process.Event
	// began is what the table had counted when the flow began, endsBefore how many
	// ends of programs the kernel had lost.
	began      process.Stats
	endsBefore uint64
	ends       uint64 // as of the last check
	ringSize   uint64

	onlyDescendants bool
	// What is read from /proc, and where that is.
	procRoot     string
	argsMaxBytes int
	variables    []string
	// keep, when set, keeps the state for the next agent.
	keep *keeper
	// ask, when set, requests the ledger, which report logs.
	ask    <-chan os.Signal
	report func()
	// limited, when set, returns what limits took away from spans and log records.
	limited func() otelexport.Limited
	seen    seen
	self    *selfmetrics.Watch
	// progress shows the counts to a person.
	progress *progress

	// reloads, when set, has changes of the configuration, which take gives to the
	// output.
	reloads  *reloads
	take     func(*change) error
	reloaded reloaded
}

// open starts the BPF programs. Their events wait until run is called.
func open(o Options, clock *otelexport.Clock, ids process.IDs, out output, onlyDescendants bool) (*flow, error) {
	tracer, err := bpf.Open(tracerOptions(o.Config, onlyDescendants))
	if err != nil {
		return nil, err
	}
	if o.cgroups == nil {
		o.cgroups = otelexport.NewCgroups()
		out = outputs{out, cgroupOutput{o.cgroups}}
	}
	policy, err := newPolicy(o.Config, o.cgroups)
	if err != nil {
		return nil, errors.Join(err, tracer.Close())
	}
	limits := process.Limits{Processes: o.Config.Kernel.MaxProcesses, Bytes: newBudget(o.Memory).images}
	return &flow{
		log:      o.Log,
		clock:    clock,
		tracer:   tracer,
		list:     tracer.Running,
		trees:    trees{log: o.Log, kernel: tracer},
		policy:   policy,
		cgroups:  o.cgroups,
		limits:   limits,
		ids:      ids,
		ringSize: uint64(o.Config.Kernel.RingBytes(onlineCPUs())),

		onlyDescendants: onlyDescendants,

		table:        process.NewTable(limits, policy, ids),
		out:          out,
		losses:       newLossLog(o.Log),
		procRoot:     "/proc",
		argsMaxBytes: o.Config.Capture.ArgsMaxBytes,
		variables:    searchedVariables(o.Config),
		ask:          o.Ask,
		report:       func() {},
		self:         o.self,
		progress:     o.progress,
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
			f.report()
		case c := <-f.reloads.pending():
			f.reconfigure(c)
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
			if idle--; idle < 0 || f.sweeps.pending() {
				idle = idleChecks
				if err := f.lookForLosses(done, now); err != nil {
					return err
				}
			}
			f.clock.Sample()
			f.advance(bootTime())
			f.publish(true)
			f.progress.note(f.table.Stats())
			f.keep.look(now)
		}
	}
}

// lookForLosses logs what was lost, and repairs what can be. The error is the
// ring's.
func (f *flow) lookForLosses(done <-chan struct{}, now time.Time) error {
	f.losses.check(f.tracer.Losses, f.table.Stats(), false)
	losses := f.losses.kernel
	f.ends = endsLost(losses)
	if f.sweeps.note(losses, now) {
		return f.sweep(done, now)
	}
	return nil
}

const (
	// graceAfter is how long descendants of a command may go on after it, and after
	// the last of them to end; graceWithin bounds that.
	graceAfter  = 200 * time.Millisecond
	graceWithin = 2 * time.Second
)

// grace moves the events of descendants that end just after their command.
func (f *flow) grace(after time.Duration) error {
	begin := time.Now()
	for last := begin; ; {
		before := f.table.Stats()
		now := time.Now()
		if before.Living == 0 || now.Sub(last) >= after || now.Sub(begin) >= max(after, graceWithin) {
			return nil
		}
		if _, err := f.drain(now.Add(graceAfter / 10)); err != nil {
			return err
		}
		f.advance(bootTime())
		if f.table.Stats().Living < before.Living {
			last = time.Now()
		}
	}
}

// bootTime is the present in the time of events.
func bootTime() process.Time {
	now, err := boottime.Now()
	if err != nil {
		return 0 // no event is so old
	}
	return now
}

// interruptAfter makes the reader return early once done is closed, until release
// is called.
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

// drain moves the events that arrive until the deadline, and what the ring holds
// then; if events arrive faster than they are moved, what fits in one more
// pollEvery. It reports whether there was any.
func (f *flow) drain(deadline time.Time) (moved bool, err error) {
	for n := 1; ; n++ {
		f.keep.makeRoom()
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
	defer f.recovered()
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

// applyRecord applies a record that the ring does not hold any more; nil is one that
// is not whole.
func (f *flow) applyRecord(decoder *bpf.Decoder, record []byte) {
	defer f.recovered()
	if err := decoder.Decode(record, &f.event); err != nil {
		f.losses.malformed(err)
		return
	}
	f.apply()
}

// recovered is deferred where events are processed. What makes the table or the
// encoder panic counts as malformed, and the next event is processed: with
// daemon.persist, each next agent would meet it again.
func (f *flow) recovered() {
	if cause := recover(); cause != nil {
		f.losses.panicked(cause)
	}
}

// apply passes the event to the table and to the output.
func (f *flow) apply() {
	f.seen[f.event.Kind]++
	f.handOn(f.table.Apply(&f.event))
	switch f.event.Kind {
	case process.CgroupPath:
		f.out.named(f.event.CgroupID, f.event.CgroupPath)
	case process.Exec:
		f.trees.executed(&f.event, f.table)
		f.out.started(&f.event, f.table)
	case process.Exit:
		f.trees.ended(f.event.ID)
	}
}

// advance gives the table the time.
func (f *flow) advance(now process.Time) {
	defer f.recovered()
	f.keep.tick(now)
	f.handOn(f.table.Advance(now))
}

// takeIn adds running processes that no event reported to the table.
func (f *flow) takeIn(found []process.Living) {
	defer f.recovered()
	f.keep.adopted(found)
	f.handOn(f.table.Adopt(found))
}

// endUnseen ends processes that had ended by a moment although no event said so.
func (f *flow) endUnseen(ids []process.ID, by process.Time) {
	defer f.recovered()
	f.keep.gone(ids, by)
	f.handOn(f.table.Gone(ids, by))
}

func (f *flow) handOn(ended []*process.Lifetime) {
	for _, l := range ended {
		f.out.ended(l)
		f.table.Recycle(l)
	}
}

// finish moves the events that the BPF programs still made, and closes the table,
// unless the next agent takes over from here.
func (f *flow) finish() error {
	err := f.tracer.Detach()
	err = errors.Join(err, f.catchUp())
	losses, lossErr := f.tracer.Losses()
	f.ends = endsLost(losses)
	if f.sweeps.owed(losses) {
		err = errors.Join(err, f.sweep(nil, time.Now()))
	}
	if f.keep == nil {
		f.handOn(f.table.Close())
	}
	if f.onlyDescendants {
		f.handOn(f.table.EndReferred(bootTime()))
	}
	f.losses.check(func() ([]bpf.Loss, error) { return losses, lossErr }, f.table.Stats(), true)
	f.trees.end()
	f.publish(false)
	return err
}

// catchUp moves what the ring holds now.
func (f *flow) catchUp() error {
	for end := f.tracer.Written(); int64(end-f.tracer.Position()) > 0; {
		f.keep.makeRoom()
		if err := f.read(time.Now()); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return nil
}
