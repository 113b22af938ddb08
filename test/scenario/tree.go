package scenario

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/test/scenario/raw"
)

// brief starts, under a long process, short ones: one that starts a long one, one
// that fails and another; one in a session of its own that starts a long one; and
// one more. Argument: how many milliseconds the long ones live at least.
func brief(s *scene) {
	s.check(unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "become a subreaper")
	top, middle, failed, inner := s.life("top"), s.life("middle"), s.life("failed"), s.life("inner")
	apart, last, long, orphan := s.life("apart"), s.life("last"), s.life("long"), s.life("orphan")
	for _, l := range []*life{long, orphan} {
		l.p.First = l.program(l.p.Label, func(b *raw.Block) { b.Nap(s.count(0)); l.leave(b, 0) })
	}
	failedPath := failed.program("failed", func(b *raw.Block) { failed.leave(b, 3) })
	innerPath := inner.program("inner", func(b *raw.Block) { inner.leave(b, 0) })
	middlePath := middle.program("middle", func(b *raw.Block) {
		long.spawn(b, long.p.First, "long")
		failed.spawn(b, failedPath, "failed")
		failed.wait(b)
		inner.spawn(b, innerPath, "inner")
		inner.wait(b)
		middle.leave(b, 0)
	})
	apartPath := apart.program("apart", func(b *raw.Block) {
		orphan.spawn(b, orphan.p.First, "orphan")
		apart.leave(b, 0)
	})
	lastPath := last.program("last", func(b *raw.Block) { last.leave(b, 0) })
	path := top.program("top", func(b *raw.Block) {
		middle.spawn(b, middlePath, "middle")
		apart.fork(b, func(c *raw.Block) { setsid(c); apart.exec(c, apartPath, "apart") })
		last.spawn(b, lastPath, "last")
		for _, l := range []*life{middle, apart, last} {
			l.wait(b)
		}
		top.park(b)
		top.leave(b, 0)
	})
	s.run(func(b *raw.Block) { top.spawn(b, path, "top") })
	s.check(top.parked.Await(patience), "wait until the short ones have ended")
	long.reap()
	orphan.reap()
	top.gate.Open()
	top.reap()
}

// manyChildren starts a program that starts others, one after the other.
// Argument: how many.
func manyChildren(s *scene) {
	parent := s.life("parent")
	path := parent.program("parent", func(b *raw.Block) {
		for i := range s.count(0) {
			l := s.life(fmt.Sprintf("child %d", i))
			l.spawn(b, l.program(l.p.Label, func(b *raw.Block) { l.leave(b, 0) }), l.p.Label)
			l.wait(b)
		}
		parent.leave(b, 0)
	})
	s.run(func(b *raw.Block) { parent.spawn(b, path, "parent") })
	parent.reap()
}
