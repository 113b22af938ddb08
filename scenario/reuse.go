package scenario

import (
	"errors"
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/scenario/raw"
)

// pidNamespace gives the same pid to two processes, one after the other, in a
// pid namespace of its own.
func pidNamespace(s *scene) {
	const last = "99" // what ns_last_pid is set to: the next process gets 100
	keeper, first, second := s.life("keeper"), s.life("first"), s.life("second")
	keeper.p.NoSpan = true
	pids := s.shared.Cells(2)
	initial, helper, done := s.shared.Cells(2), s.shared.Cells(2), s.gate()
	var paths []string
	for i, l := range []*life{first, second} {
		paths = append(paths, l.program(l.p.Label, func(b *raw.Block) {
			b.Into(pids.At(i), unix.SYS_GETPID)
			l.park(b)
			l.leave(b, i+1)
		}))
	}
	s.check(os.Mkdir(s.dir+"/proc", 0o755), "make a mount point")
	rewind := func(b *raw.Block) {
		b.Fork(helper, func(c *raw.Block) {
			mount(c, "proc", s.dir+"/proc", "proc", 0)
			s.tell(c, s.dir+"/proc/sys/kernel/ns_last_pid", last)
			c.ExitGroup(0)
		})
		b.Wait(helper, helper.At(1))
	}
	// The keeper's children are in the namespace, itself is not: it sees the
	// pids that the rest of the machine sees.
	s.run(func(b *raw.Block) {
		keeper.fork(b, func(k *raw.Block) {
			ownMounts(k)
			k.Must("unshare", unix.SYS_UNSHARE, raw.N(unix.CLONE_NEWPID))
			k.Fork(initial, func(c *raw.Block) { c.Await(done); c.ExitGroup(0) })
			for i, l := range []*life{first, second} {
				rewind(k)
				l.spawn(k, paths[i], l.p.Label)
				l.wait(k)
			}
			k.Open(done)
			k.Wait(initial, initial.At(1))
			keeper.leave(k, 0)
		})
	})
	for _, l := range []*life{first, second} {
		l.observe()
		l.gate.Open()
	}
	keeper.reap()
	if a, b := pids.Get(), pids.At(1).Get(); a != 100 || b != 100 {
		s.check(fmt.Errorf("%d and %d", a, b), "get pid 100 twice")
	}
}

// pidAgain ends many processes and makes others until the kernel, going round,
// gives one of their pids to a process that becomes another program.
func pidAgain(s *scene) {
	const candidates, rounds = 64, 5
	taken := make(map[int64]bool)
	low, high := int64(math.MaxInt64), int64(0)
	for i := range candidates {
		l := s.life(fmt.Sprintf("candidate %d", i))
		path := l.program(l.p.Label, func(b *raw.Block) { l.park(b); l.leave(b, 1) })
		s.run(func(b *raw.Block) { l.spawn(b, path, l.p.Label) })
		l.finish()
		pid := l.pid.Get()
		taken[pid], low, high = true, min(low, pid), max(high, pid)
	}
	again := s.life("again")
	path := again.program("again", func(b *raw.Block) { again.park(b); again.leave(b, 2) })

	for range rounds {
		s.passPids(func(pid int64) bool { return pid < low && pid >= low-64 || pid >= low && pid <= high })
		for {
			chosen := s.gate()
			s.run(func(b *raw.Block) {
				again.fork(b, func(c *raw.Block) { c.Await(chosen); again.exec(c, path, "again") })
			})
			pid := again.pid.Get()
			if taken[pid] {
				chosen.Open()
				again.finish()
				return
			}
			s.check(unix.Kill(int(pid), unix.SIGKILL), "end a process")
			again.reap()
			if pid > high || pid < low-64 {
				break
			}
		}
	}
	s.check(errors.New("others got them all"), "get a pid again")
}

// passPids makes processes that end at once, until reached.
func (s *scene) passPids(reached func(pid int64) bool) {
	b, err := raw.New(64 << 10)
	s.check(err, "run")
	defer b.Free()
	cells := s.shared.Cells(2)
	b.Vfork(cells, func(c *raw.Block) { c.ExitGroup(0) })
	b.Wait(cells, cells.At(1))
	for n := 1; ; n++ {
		b.Run()
		if reached(cells.Get()) {
			return
		}
		if n%10000 == 0 {
			fmt.Fprintf(os.Stderr, "%d processes made to come round to a pid\n", n)
		}
	}
}
