package scenario

import (
	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/test/scenario/raw"
)

// exitWith ends a process by exit_group.
func exitWith(code int) func(*scene) {
	return func(s *scene) {
		l := s.life("child")
		path := l.program("exit", func(b *raw.Block) { l.park(b); l.leave(b, code) })
		s.run(func(b *raw.Block) { l.spawn(b, path, "exit", "with", "care") })
		l.finish()
	}
}

// dieBy ends a process by a signal that it sends to itself.
func dieBy(sig unix.Signal) func(*scene) {
	return func(s *scene) {
		l := s.life("child")
		path := l.program("die", func(b *raw.Block) {
			l.park(b)
			self := s.shared.Cells(1)
			b.Into(self, unix.SYS_GETPID)
			b.Clock(l.ending)
			b.Must("kill", unix.SYS_KILL, self.Val(), raw.N(sig))
		})
		s.run(func(b *raw.Block) { l.spawn(b, path, "die") })
		l.finish()
	}
}

// dieWithCore ends a process by a wild pointer, with leave to dump core.
func dieWithCore(s *scene) {
	l := s.life("child")
	path := l.program("fault", func(b *raw.Block) {
		l.park(b)
		allowCore(b)
		b.Clock(l.ending)
		b.Fault()
	})
	s.run(func(b *raw.Block) { l.spawn(b, path, "fault") })
	l.finish()
}

// allowCore adds the leave to dump core.
func allowCore(b *raw.Block) {
	limit := make([]byte, 16) // {cur, max}, both infinite
	for i := range limit {
		limit[i] = 0xff
	}
	b.Must("prlimit64", unix.SYS_PRLIMIT64, raw.N(0), raw.N(unix.RLIMIT_CORE), b.Bytes(string(limit)), raw.N(0))
}

// leaderLeaves ends the first thread of a process long before another thread
// ends the process.
func leaderLeaves(s *scene) {
	l := s.life("child")
	thread := s.shared.Cells(1)
	path := l.program("leaderless", func(b *raw.Block) {
		l.park(b)
		b.Thread(thread, func(c *raw.Block) { c.Nap(150); l.leave(c, 7) })
		b.Exit(0)
	})
	s.run(func(b *raw.Block) { l.spawn(b, path, "leaderless") })
	l.finish()
}

// lastThreadExits ends every thread of a process by itself, the first one first.
func lastThreadExits(s *scene) {
	l := s.life("child")
	thread := s.shared.Cells(1)
	path := l.program("unanimous", func(b *raw.Block) {
		l.park(b)
		b.Thread(thread, func(c *raw.Block) { c.Nap(150); c.Clock(l.ending); c.Exit(9) })
		b.Exit(3)
	})
	s.run(func(b *raw.Block) { l.spawn(b, path, "unanimous") })
	l.finish()
}

// exitAmongThreads ends a process by exit_group in one thread while the others
// stand still.
func exitAmongThreads(s *scene) {
	l := s.life("child")
	threads, running, never := s.shared.Cells(4), s.shared.Cells(1), s.gate()
	path := l.program("crowd", func(b *raw.Block) {
		l.park(b)
		for i := range 3 {
			b.Thread(threads.At(i), func(c *raw.Block) { c.Meet(running, 5); c.Await(never) })
		}
		b.Thread(threads.At(3), func(c *raw.Block) { c.Meet(running, 5); l.leave(c, 4) })
		b.Meet(running, 5)
		b.Await(never)
	})
	s.run(func(b *raw.Block) { l.spawn(b, path, "crowd") })
	l.finish()
}

// killedWithoutLeader ends the first thread of a process, and then the process by
// a signal from outside.
func killedWithoutLeader(s *scene) {
	l := s.life("child")
	thread, alone, never := s.shared.Cells(1), s.gate(), s.gate()
	path := l.program("headless", func(b *raw.Block) {
		l.park(b)
		b.Thread(thread, func(c *raw.Block) { c.Open(alone); c.Await(never) })
		b.Exit(3)
	})
	s.run(func(b *raw.Block) { l.spawn(b, path, "headless") })
	l.observe()
	l.gate.Open()
	s.check(alone.Await(patience), "wait for the thread")
	l.ending.SetTime()
	s.check(unix.Kill(l.p.PID, unix.SIGTERM), "kill")
	l.reap()
}
