package scenario

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/test/scenario/raw"
)

// pidNamespace gives the same pid to two processes, one after the other, in a
// pid namespace of its own.
func pidNamespace(s *scene) {
	keeper, first, second := s.life("keeper"), s.life("first"), s.life("second")
	keeper.p.NoSpan = true
	chosen, pids := s.shared.Cells(1), s.shared.Cells(2)
	chosen.Put(100)
	initial, done := s.shared.Cells(2), s.gate()
	// The keeper's children are in the namespace, itself is not: it sees the
	// pids that the rest of the machine sees.
	s.run(func(b *raw.Block) {
		keeper.fork(b, func(k *raw.Block) {
			k.Must("unshare", unix.SYS_UNSHARE, raw.N(unix.CLONE_NEWPID))
			k.Fork(initial, func(c *raw.Block) { c.Await(done); c.ExitGroup(0) })
			for i, l := range []*life{first, second} {
				path := l.program(l.p.Label, func(b *raw.Block) {
					b.Into(pids.At(i), unix.SYS_GETPID)
					l.park(b)
					l.leave(b, i+1)
				})
				l.forkAs(k, chosen, func(c *raw.Block) { l.exec(c, path, l.p.Label) })
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

// pidAgain gives the pid of a process that has ended to another one. The kernel
// itself would do so only after it has gone round all other pids.
func pidAgain(s *scene) {
	first, second := s.life("first"), s.life("second")
	for i, l := range []*life{first, second} {
		path := l.program(l.p.Label, func(b *raw.Block) { l.park(b); l.leave(b, i+1) })
		s.run(func(b *raw.Block) {
			begin := func(c *raw.Block) { l.exec(c, path, l.p.Label) }
			if l == first {
				l.fork(b, begin)
			} else {
				l.forkAs(b, first.pid, begin)
			}
		})
		l.finish()
	}
}
