package scenario

import (
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/test/scenario/raw"
)

// subshell execs a shell that forks and forks again before its child becomes a
// program: two processes without a span stand between the child and the shell.
func subshell(s *scene) {
	shell, outer, inner, child := s.life("shell"), s.life("outer"), s.life("inner"), s.life("child")
	outer.p.NoSpan, inner.p.NoSpan = true, true
	command := child.program("command", func(b *raw.Block) { child.park(b); child.leave(b, 1) })
	path := shell.program("shell", func(b *raw.Block) {
		shell.park(b)
		outer.fork(b, func(o *raw.Block) {
			inner.fork(o, func(i *raw.Block) {
				child.spawn(i, command, "command")
				child.wait(i)
				inner.leave(i, 2)
			})
			inner.wait(o)
			outer.leave(o, 3)
		})
		outer.wait(b)
		shell.leave(b, 0)
	})
	s.run(func(b *raw.Block) { shell.spawn(b, path, "shell", "(( command ))") })
	shell.observe()
	shell.gate.Open()
	child.observe()
	child.gate.Open()
	shell.reap()
	child.p.Origin = shell.p.PID
}

// daemon forks twice; the process in the middle ends, and so does the origin,
// before the daemon becomes a program and long before it ends.
func daemon(s *scene) {
	_, daemon := s.doubleFork()
	pidfd, err := unix.PidfdOpen(daemon.p.PID, 0)
	s.check(err, "watch the daemon")
	daemon.gate.Open()
	// Its parent is another process now; only that one learns the status.
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(patience.Milliseconds()))
	if n == 0 && err == nil {
		err = os.ErrDeadlineExceeded
	}
	s.check(err, "wait for the daemon's end")
	daemon.ended.SetTime()
	daemon.p.Status = daemonCode << 8
}

// daemonOfReaper is daemon, with the scenario as the one that inherits orphans
// (PR_SET_CHILD_SUBREAPER).
func daemonOfReaper(s *scene) {
	s.check(unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "become a subreaper")
	_, daemon := s.doubleFork()
	daemon.gate.Open()
	daemon.reap()
}

const daemonCode = 5

// doubleFork plays all but the daemon's end.
func (s *scene) doubleFork() (origin, daemon *life) {
	origin, middle, daemon := s.life("origin"), s.life("middle"), s.life("daemon")
	middle.p.NoSpan = true
	orphaned := s.gate()
	service := daemon.program("service", func(b *raw.Block) { daemon.park(b); daemon.leave(b, daemonCode) })
	path := origin.program("origin", func(b *raw.Block) {
		origin.park(b)
		middle.fork(b, func(m *raw.Block) {
			daemon.fork(m, func(d *raw.Block) {
				d.Await(orphaned)
				daemon.exec(d, service, "service")
			})
			middle.leave(m, 0)
		})
		middle.wait(b)
		b.Open(orphaned)
		origin.leave(b, 0)
	})
	s.run(func(b *raw.Block) { origin.spawn(b, path, "origin") })
	origin.finish()
	daemon.observe()
	daemon.p.Origin = origin.p.PID
	return origin, daemon
}

// cloneParent makes a child whose parent, to the kernel, is that of its maker
// (CLONE_PARENT).
func cloneParent(s *scene) {
	maker, child := s.life("maker"), s.life("child")
	command := child.program("command", func(b *raw.Block) { child.park(b); child.leave(b, 1) })
	path := maker.program("maker", func(b *raw.Block) {
		maker.park(b)
		child.clone(b, unix.CLONE_PARENT|raw.Fork, func(c *raw.Block) { child.exec(c, command, "command") })
		maker.leave(b, 0)
	})
	s.run(func(b *raw.Block) { maker.spawn(b, path, "maker") })
	maker.finish()
	child.finish()
	child.p.Origin = maker.p.PID
}

// forkFromThread makes a child in a thread that is not the first.
func forkFromThread(s *scene) {
	maker, child := s.life("maker"), s.life("child")
	thread, never := s.shared.Cells(1), s.gate()
	command := child.program("command", func(b *raw.Block) { child.park(b); child.leave(b, 1) })
	path := maker.program("maker", func(b *raw.Block) {
		maker.park(b)
		b.Thread(thread, func(t *raw.Block) {
			child.spawn(t, command, "command")
			child.wait(t)
			maker.leave(t, 0)
		})
		b.Await(never)
	})
	s.run(func(b *raw.Block) { maker.spawn(b, path, "maker") })
	maker.observe()
	maker.gate.Open()
	child.observe()
	child.gate.Open()
	maker.reap()
	child.p.Origin = maker.p.PID
}

// older starts processes, says "ready" on standard output, and lets them go on
// when standard input ends. Started before the agent, they are older than it.
func older(s *scene) {
	steady, changing, late, struck := s.life("steady"), s.life("changing"), s.life("late"), s.life("struck")
	forked, zombie, disguised := s.life("forked"), s.life("zombie"), s.life("disguised")
	begin := s.gate()
	forked.p.NoSpan, zombie.p.NoSpan = true, true

	path := steady.program("steady", func(b *raw.Block) { steady.park(b); steady.leave(b, 5) })
	after := changing.becomes("after", func(b *raw.Block) { changing.park(b); changing.leave(b, 6) })
	before := changing.program("before", func(b *raw.Block) { b.Await(begin); changing.reexec(b, after, "after") })
	mask := disguised.program("mask", func(b *raw.Block) {
		become(b, 31, 32, 33)
		disguised.park(b)
		disguised.leave(b, 10)
	})
	victim := struck.program("victim", struck.park)
	short := zombie.program("short", func(b *raw.Block) { zombie.leave(b, 4) })
	lately := late.program("lately", func(b *raw.Block) { late.park(b); late.leave(b, 7) })
	s.run(func(b *raw.Block) {
		steady.spawn(b, path, "steady")
		changing.spawn(b, before, "before")
		disguised.fork(b, func(c *raw.Block) {
			c.Must("unshare", unix.SYS_UNSHARE, raw.N(unix.CLONE_NEWIPC|unix.CLONE_NEWNET|unix.CLONE_NEWNS|unix.CLONE_NEWUTS))
			disguised.exec(c, mask, "mask")
		})
		struck.spawn(b, victim, "victim")
		late.fork(b, func(c *raw.Block) { c.Await(begin); late.exec(c, lately, "lately") })
		forked.fork(b, func(c *raw.Block) { forked.park(c); struck.kill(c, unix.SIGKILL); forked.leave(c, 8) })
		zombie.spawn(b, short, "short")
		b.Must("waitid", unix.SYS_WAITID, raw.N(unix.P_PID), zombie.pid.Val(), raw.N(0), raw.N(unix.WEXITED|unix.WNOWAIT), raw.N(0))
	})
	steady.observe()
	disguised.observe()
	struck.observe()
	forked.observe()
	s.check(changing.started.At(1).Await(patience), "wait for the first program")
	_, err := os.Stdout.WriteString("ready\n")
	s.check(err, "say ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	s.check(err, "wait for the agent")

	begin.Open()
	steady.gate.Open()
	steady.reap()
	disguised.gate.Open()
	disguised.reap()
	changing.finish()
	late.finish()
	struck.ending.SetTime()
	forked.act()
	struck.reap()
	zombie.reap()
	younger := s.life("younger")
	young := younger.program("young", func(b *raw.Block) { younger.park(b); younger.leave(b, 9) })
	// It has the zombie's pid, and must not be taken for it.
	s.run(func(b *raw.Block) {
		younger.forkAs(b, zombie.pid, func(c *raw.Block) { younger.exec(c, young, "young") })
	})
	younger.finish()

	for _, p := range []*Process{s.self, &steady.p, &changing.p, &disguised.p, &struck.p} {
		p.Older = true
	}
	// What is older than the agent may never have a span: its children are roots.
	for _, l := range s.lives {
		l.p.Origin = 0
	}
}
