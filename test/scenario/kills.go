package scenario

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/test/scenario/raw"
)

// sender starts a program that stands still, and then sends signals.
func (s *scene) sender(name string, send func(*raw.Block)) *life {
	l := s.life(name)
	path := l.program(name, func(b *raw.Block) { l.park(b); send(b); l.leave(b, 0) })
	s.run(func(b *raw.Block) { l.spawn(b, path, name) })
	l.observe()
	return l
}

// act lets a sender do its work and end.
func (l *life) act() {
	l.gate.Open()
	l.reap()
}

func (l *life) kill(b *raw.Block, sig unix.Signal) {
	b.Must("kill", unix.SYS_KILL, l.pid.Val(), raw.N(sig))
}

// victim starts a program that comes to stand still.
func (s *scene) victim(steps func(*life, *raw.Block)) *life {
	l := s.life("victim")
	path := l.program("victim", func(b *raw.Block) { steps(l, b) })
	s.run(func(b *raw.Block) { l.spawn(b, path, "victim") })
	l.observe()
	return l
}

// block adds that signals wait.
func block(b *raw.Block, signals ...unix.Signal) { mask(b, unix.SIG_BLOCK, signals...) }

// unblock adds that signals wait no more, and that the process has not died of it.
func unblock(l *life, b *raw.Block, signals ...unix.Signal) {
	b.Clock(l.ending)
	mask(b, unix.SIG_UNBLOCK, signals...)
	l.leave(b, 1)
}

func mask(b *raw.Block, how int, signals ...unix.Signal) {
	var set uint64
	for _, sig := range signals {
		set |= 1 << (sig - 1)
	}
	b.Must("sigprocmask", unix.SYS_RT_SIGPROCMASK, raw.N(how), b.Bytes(word(set)), raw.N(0), raw.N(8))
}

func ignore(b *raw.Block, sig unix.Signal) {
	const sigIgn = 1
	action := word(sigIgn) + word(0) + word(0) + word(0)
	b.Must("sigaction", unix.SYS_RT_SIGACTION, raw.N(sig), b.Bytes(action), raw.N(0), raw.N(8))
}

func word(n uint64) string { return string(binary.NativeEndian.AppendUint64(nil, n)) }

// killed ends a process by a signal from another.
func killed(s *scene) {
	victim := s.victim((*life).park)
	killer := s.sender("killer", func(b *raw.Block) { victim.kill(b, unix.SIGKILL) })
	victim.ending.SetTime()
	killer.act()
	victim.reap()
}

// killedByFork ends a process by a signal from one that has executed nothing.
func killedByFork(s *scene) {
	victim := s.victim((*life).park)
	killer, parent := s.life("killer"), s.life("parent")
	killer.p.NoSpan = true
	path := parent.program("parent", func(b *raw.Block) {
		killer.fork(b, func(c *raw.Block) { killer.park(c); victim.kill(c, unix.SIGKILL); killer.leave(c, 0) })
		killer.wait(b)
		parent.park(b)
		parent.leave(b, 0)
	})
	s.run(func(b *raw.Block) { parent.spawn(b, path, "parent") })
	killer.observe()
	victim.ending.SetTime()
	killer.gate.Open()
	parent.finish()
	victim.reap()
}

// killedInThread ends a process by a signal to a thread that is not the first.
func killedInThread(s *scene) {
	thread, never := s.shared.Cells(1), s.gate()
	victim := s.victim(func(l *life, b *raw.Block) {
		b.Thread(thread, func(c *raw.Block) { c.Await(never) })
		l.park(b)
	})
	killer := s.sender("killer", func(b *raw.Block) {
		b.Must("tgkill", unix.SYS_TGKILL, victim.pid.Val(), thread.Val(), raw.N(unix.SIGUSR1))
	})
	victim.ending.SetTime()
	killer.act()
	victim.reap()
}

// killedLater ends a process by a signal whose sender has ended long before.
func killedLater(s *scene) {
	victim := s.victim(func(l *life, b *raw.Block) {
		block(b, unix.SIGTERM)
		l.park(b)
		unblock(l, b, unix.SIGTERM)
	})
	s.sender("killer", func(b *raw.Block) { victim.kill(b, unix.SIGTERM) }).act()
	victim.gate.Open()
	victim.reap()
}

// killedAtLast ends a process by a signal, after one that it ignores and one that
// waits.
func killedAtLast(s *scene) {
	victim := s.victim(func(l *life, b *raw.Block) {
		ignore(b, unix.SIGUSR1)
		block(b, unix.SIGUSR2)
		l.park(b)
	})
	s.sender("other", func(b *raw.Block) {
		victim.kill(b, unix.SIGUSR1)
		victim.kill(b, unix.SIGUSR2)
	}).act()
	killer := s.sender("killer", func(b *raw.Block) { victim.kill(b, unix.SIGTERM) })
	victim.ending.SetTime()
	killer.act()
	victim.reap()
}

// killedBefore ends a process by a signal that waits while others come, which
// wait for longer: one of another kind, and the same from another sender.
func killedBefore(s *scene) {
	victim := s.victim(func(l *life, b *raw.Block) {
		block(b, unix.SIGTERM, unix.SIGUSR1)
		l.park(b)
		unblock(l, b, unix.SIGTERM)
	})
	s.sender("killer", func(b *raw.Block) { victim.kill(b, unix.SIGTERM) }).act()
	s.sender("other", func(b *raw.Block) {
		victim.kill(b, unix.SIGUSR1)
		victim.kill(b, unix.SIGTERM)
	}).act()
	victim.gate.Open()
	victim.reap()
}

// killedByOrphaning ends a process when its parent ends, as it has asked for.
func killedByOrphaning(s *scene) {
	s.check(unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "become a subreaper")
	parent, victim := s.life("parent"), s.life("victim")
	victimPath := victim.program("victim", func(b *raw.Block) {
		b.Must("prctl", unix.SYS_PRCTL, raw.N(unix.PR_SET_PDEATHSIG), raw.N(unix.SIGKILL))
		victim.park(b)
	})
	path := parent.program("parent", func(b *raw.Block) {
		victim.spawn(b, victimPath, "victim")
		parent.park(b)
		parent.leave(b, 0)
	})
	s.run(func(b *raw.Block) { parent.spawn(b, path, "parent") })
	parent.observe()
	victim.observe()
	victim.ending.SetTime()
	parent.act()
	victim.reap()
	victim.p.Origin = parent.p.PID
}

// killedBySEGV ends a process by a signal that otherwise the kernel sends, with
// leave to dump core.
func killedBySEGV(s *scene) {
	victim := s.victim(func(l *life, b *raw.Block) {
		allowCore(b)
		l.park(b)
	})
	killer := s.sender("killer", func(b *raw.Block) { victim.kill(b, unix.SIGSEGV) })
	victim.ending.SetTime()
	killer.act()
	victim.reap()
}

// dieByPipe ends a process by a write to a pipe that nobody reads.
func dieByPipe(s *scene) {
	l := s.life("child")
	var pipe [2]int
	s.check(unix.Pipe2(pipe[:], 0), "make a pipe")
	path := l.program("writer", func(b *raw.Block) {
		b.Must("close", unix.SYS_CLOSE, raw.N(pipe[0]))
		l.park(b)
		b.Clock(l.ending)
		b.Try(unix.SYS_WRITE, raw.N(pipe[1]), b.Bytes("x"), raw.N(1))
		l.leave(b, 1)
	})
	s.run(func(b *raw.Block) { l.spawn(b, path, "writer") })
	s.check(unix.Close(pipe[0]), "close the pipe")
	l.finish()
}

// dieByTerminal ends a process by the key of its terminal that interrupts.
func dieByTerminal(s *scene) {
	l := s.life("child")
	path := l.program("typed", l.park)
	keyboard, tty := s.terminal()
	s.run(func(b *raw.Block) {
		l.fork(b, func(c *raw.Block) { setsid(c); control(c, tty); l.exec(c, path, "typed") })
	})
	l.observe()
	l.ending.SetTime()
	_, err := unix.Write(keyboard, []byte{'C' & 0x1f})
	s.check(err, "press a key")
	l.reap()
	l.p.Origin = 0 // the session is a trace of its own
}
