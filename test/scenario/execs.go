package scenario

import (
	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/test/scenario/raw"
)

// execFromThread becomes another program from a thread that is not the first;
// the kernel gives it the pid.
func execFromThread(s *scene) {
	l := s.life("child")
	thread, never := s.shared.Cells(1), s.gate()
	second := l.becomes("second", func(b *raw.Block) { l.park(b); l.leave(b, 5) })
	first := l.program("first", func(b *raw.Block) {
		b.Thread(thread, func(c *raw.Block) { l.reexec(c, second, "second", "from a thread") })
		b.Await(never)
	})
	s.run(func(b *raw.Block) { l.spawn(b, first, "first") })
	l.finish()
}

// execWithoutLeader becomes another program when the first thread has ended.
func execWithoutLeader(s *scene) {
	l := s.life("child")
	thread := s.shared.Cells(1)
	second := l.becomes("second", func(b *raw.Block) { l.park(b); l.leave(b, 5) })
	first := l.program("first", func(b *raw.Block) {
		b.Thread(thread, func(c *raw.Block) { c.Nap(20); l.reexec(c, second, "second", "from a thread") })
		b.Exit(3)
	})
	s.run(func(b *raw.Block) { l.spawn(b, first, "first") })
	l.finish()
}

// execThrice becomes three programs, one after the other.
func execThrice(s *scene) {
	l := s.life("child")
	third := l.becomes("c", func(b *raw.Block) { l.park(b); l.leave(b, 6) })
	second := l.becomes("b", func(b *raw.Block) { l.reexec(b, third, "c", "third") })
	first := l.program("a", func(b *raw.Block) { l.reexec(b, second, "b", "second") })
	s.run(func(b *raw.Block) { l.spawn(b, first, "a", "first") })
	l.finish()
}

// vforkExec execs in a child of vfork, some time after the vfork.
func vforkExec(s *scene) {
	l := s.life("child")
	path := l.program("vforked", func(b *raw.Block) { l.park(b); l.leave(b, 2) })
	s.run(func(b *raw.Block) {
		l.clone(b, raw.Vfork, func(c *raw.Block) { c.Nap(5); l.exec(c, path, "vforked") })
	})
	l.finish()
}

// forkOnly forks children that never become a program: by fork, by vfork, and
// with a thread.
func forkOnly(s *scene) {
	forked, vforked, threaded := s.life("forked"), s.life("vforked"), s.life("threaded")
	thread, never := s.shared.Cells(1), s.gate()
	s.run(func(b *raw.Block) {
		forked.fork(b, func(c *raw.Block) { forked.leave(c, 1) })
		forked.wait(b)
		vforked.clone(b, raw.Vfork, func(c *raw.Block) { vforked.leave(c, 2) })
		vforked.wait(b)
		threaded.fork(b, func(c *raw.Block) {
			c.Thread(thread, func(t *raw.Block) { threaded.leave(t, 3) })
			c.Await(never)
		})
		threaded.wait(b)
	})
	for _, l := range s.lives {
		l.p.NoSpan = true
	}
}

// failedExec forks a child whose exec fails, as a shell does for a command that
// is not there.
func failedExec(s *scene) {
	l := s.life("child")
	l.p.NoSpan = true
	s.run(func(b *raw.Block) {
		l.fork(b, func(c *raw.Block) { s.execInVain(c); l.leave(c, 127) })
		l.wait(b)
	})
}

// failedReexec fails to become another program and goes on.
func failedReexec(s *scene) {
	l := s.life("child")
	path := l.program("steady", func(b *raw.Block) {
		s.execInVain(b)
		l.park(b)
		l.leave(b, 3)
	})
	s.run(func(b *raw.Block) { l.spawn(b, path, "steady") })
	l.finish()
}

// execInVain adds execs that the kernel refuses: of nothing, of a directory,
// and of a file that is no program.
func (s *scene) execInVain(b *raw.Block) {
	for _, path := range []string{
		s.dir + "/nothing", s.dir, s.write("text", []byte("no program\n"), 0o755),
	} {
		b.Try(unix.SYS_EXECVE, b.Bytes(path), b.Strings(path), b.Strings())
	}
}
