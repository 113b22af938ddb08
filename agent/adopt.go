package agent

import (
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/procspan/procspan/enrich"
	"github.com/procspan/procspan/internal/capability"
	"github.com/procspan/procspan/process"
)

// adopt adds the processes that are running already. If they cannot be listed, the
// next sweep does it.
func (f *flow) adopt(done <-chan struct{}) {
	running, ok := f.listRunning(time.Now())
	if !ok {
		return
	}
	running = slices.DeleteFunc(running, func(p process.Living) bool { return p.KernelThread || p.Ending })
	f.look(done, running, patience)
	f.takeIn(running)
}

// adoptTree adds a running process and its descendants to the table, and follows them.
func (f *flow) adoptTree(done <-chan struct{}, pid uint32) error {
	running, err := f.tracer.FollowTree(pid)
	if err != nil {
		return err
	}
	running = slices.DeleteFunc(running, func(p process.Living) bool { return p.KernelThread || p.Ending })
	f.look(done, running, patience)
	f.takeIn(running)
	return nil
}

// looksAgain is how often processes are read again that execute another program
// while they are read.
const looksAgain = 3

// look adds to running processes what /proc shows of them and no event will, and
// reports their cgroups to the output. An image that was read must not be newer than
// the ExecID that was listed: its exec, whose event is still to come, would count as
// another one. So the processes are listed again, and those that executed a program
// meanwhile are read again. silences is as readProc has it.
func (f *flow) look(done <-chan struct{}, running []process.Living, silences int) {
	unread := make([]*process.Living, len(running))
	for i := range running {
		unread[i] = &running[i]
	}
	for again := 0; len(unread) > 0; again++ {
		f.readProc(done, unread, silences)
		listed, ok := f.listRunning(time.Now())
		if !ok {
			return
		}
		there := byID(listed)
		unread = slices.DeleteFunc(unread, func(p *process.Living) bool {
			now, ok := there[p.ID]
			if !ok || now.ExecID == p.ExecID {
				return true
			}
			now.Image, now.Executable = p.Image, p.Executable
			*p = now
			return again == looksAgain
		})
	}
}

const (
	// stuckAfter is how long no process has been read when the readers count as
	// stuck: a file of /proc can block, as where arguments are mapped from a FUSE file
	// system. Others take their place, up to maxReaders.
	stuckAfter = 250 * time.Millisecond
	maxReaders = 64
	// patience is how many silences of stuckAfter in a row end the reading at the start.
	// On a busy machine a reader may wait that long for a CPU; a pause of the whole
	// machine is one silence. Later, while nobody reads the ring, the first one does.
	patience = 8
	// lookWithin bounds the reading: what is not read by then has its name only.
	lookWithin = 10 * time.Second
)

// seenInProc is what /proc shows of a process.
type seenInProc struct {
	at         int // in the list
	image      process.Image
	executable string
	v2, v1     string // paths of its cgroups; "" where they are unknown
}

// readProc reads what /proc shows of processes. There can be thousands, and the
// kernel makes what is read: several processors share the work. It ends early when
// done is closed, and when so many silences of stuckAfter follow each other in which no
// process was read and no further reader could begin.
func (f *flow) readProc(done <-chan struct{}, all []*process.Living, silences int) {
	giveUp := time.NewTimer(lookWithin)
	defer giveUp.Stop()
	var next atomic.Int64
	defer next.Store(int64(len(all)))       // no reader begins another
	read := make(chan seenInProc, len(all)) // none waits for a reader of it
	wanted := make([]process.Living, len(all))
	for i, p := range all {
		wanted[i] = *p // a reader that is stuck keeps nothing that others use
	}
	readers := 0
	start := func() {
		for range min(8, runtime.GOMAXPROCS(0)) {
			readers++
			go func() {
				runtime.LockOSThread() // and never unlocked: the thread, and what is raised, ends here
				if err := capability.Raise(); err != nil {
					f.log.Debug("cannot read all of /proc", "error", err)
				}
				proc := enrich.NewProc(f.procRoot)
				for i := next.Add(1) - 1; i < int64(len(wanted)); i = next.Add(1) - 1 {
					read <- f.readOne(proc, int(i), &wanted[i])
				}
			}()
		}
	}
	start()
	stuck := time.NewTimer(stuckAfter)
	defer stuck.Stop()
	silent := 0
	for left := len(all); left > 0; {
		select {
		case p := <-read:
			left--
			f.found(all[p.at], &p)
			silent = 0
			stuck.Reset(stuckAfter)
			continue
		case <-stuck.C:
			if readers < maxReaders && int(next.Load()) < len(wanted) {
				start()
			} else {
				silent++
			}
			if silent < silences {
				stuck.Reset(stuckAfter)
				continue
			}
		case <-giveUp.C:
		case <-done:
			return
		}
		f.log.Warn("cannot read all running processes from /proc; the rest have no details", "count", left)
		return
	}
}

// readOne reads what /proc shows of a process.
func (f *flow) readOne(proc enrich.Proc, at int, p *process.Living) seenInProc {
	s := seenInProc{at: at}
	if !p.Execed {
		s.executable, _ = proc.Executable(p.ID)
		return s
	}
	// One that cannot be read has ended, or has its name only.
	s.image, _ = proc.Image(p.ID, f.argsMaxBytes, f.variables)
	s.v2, s.v1, _ = proc.Cgroup(p.ID)
	return s
}

// found takes what was read of a process.
func (f *flow) found(p *process.Living, s *seenInProc) {
	p.Image, p.Executable = s.image, s.executable
	in := p.Groups.Cgroup
	f.nameCgroup(in.V2, s.v2)
	if in.V1 != in.V2 {
		f.nameCgroup(in.V1, s.v1)
	}
}

// nameCgroup reports the path of a cgroup, where it is known.
func (f *flow) nameCgroup(id uint64, path string) {
	if path != "" {
		f.keep.named(id, path)
		f.out.named(id, path)
	}
}
