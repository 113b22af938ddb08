package scenario

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/test/scenario/raw"
)

// setsidBeforeExec starts a program in a session of its own.
func setsidBeforeExec(s *scene) {
	child := s.life("child")
	path := child.program("child", func(b *raw.Block) { child.leave(b, 0) })
	s.run(func(b *raw.Block) {
		child.fork(b, func(c *raw.Block) { setsid(c); child.exec(c, path, "child") })
	})
	child.reap()
}

// setsidAfterExec starts a program that makes a session of its own, and then
// starts another.
func setsidAfterExec(s *scene) {
	child, command := s.life("child"), s.life("command")
	commandPath := command.program("command", func(b *raw.Block) { command.leave(b, 0) })
	path := child.program("child", func(b *raw.Block) {
		setsid(b)
		command.spawn(b, commandPath, "command")
		command.wait(b)
		child.leave(b, 0)
	})
	s.run(func(b *raw.Block) { child.spawn(b, path, "child") })
	child.reap()
}

// setsidWithoutExec forks a process that makes a session of its own, becomes no
// program, and starts two.
func setsidWithoutExec(s *scene) {
	leader := s.life("leader")
	s.run(func(b *raw.Block) {
		leader.fork(b, func(c *raw.Block) {
			setsid(c)
			for _, name := range []string{"one", "two"} {
				l := s.life(name)
				l.spawn(c, l.program(name, func(b *raw.Block) { l.leave(b, 0) }), name)
				l.wait(c)
			}
			leader.leave(c, 0)
		})
	})
	leader.reap()
}

// jobs starts a shell in a session of its own, which starts three command lines,
// each in a process group of its own; the second is a pipeline of three, whose
// first has ended when the last begins. With a terminal, the session has one.
func jobs(terminal bool) func(*scene) {
	return func(s *scene) {
		shell := s.life("shell")
		path := shell.program("shell", func(b *raw.Block) {
			s.commandLine(b, "one")
			s.commandLine(b, "first", "second", "third")
			s.commandLine(b, "last")
			shell.leave(b, 0)
		})
		tty := -1
		if terminal {
			_, tty = s.terminal()
		}
		s.run(func(b *raw.Block) {
			shell.fork(b, func(c *raw.Block) {
				setsid(c)
				if terminal {
					control(c, tty)
				}
				shell.exec(c, path, "shell")
			})
		})
		shell.reap()
	}
}

// commandLine adds commands, all of them in the process group of the first.
func (s *scene) commandLine(b *raw.Block, names ...string) {
	var members []*life
	group := raw.N(0)
	for i, name := range names {
		l := s.life(name)
		path := l.program(name, func(b *raw.Block) { l.leave(b, 0) })
		if i == 2 { // the first stays as a zombie, and with it its group
			b.Must("waitid", unix.SYS_WAITID, raw.N(unix.P_PID), group, raw.N(0), raw.N(unix.WEXITED|unix.WNOWAIT), raw.N(0))
		}
		l.fork(b, func(c *raw.Block) {
			c.Must("setpgid", unix.SYS_SETPGID, raw.N(0), group)
			l.exec(c, path, name)
		})
		if i == 0 {
			group = l.pid.Val()
		}
		// As in a shell, so that the group is there before the next joins it;
		// unless the child was faster.
		b.Try(unix.SYS_SETPGID, l.pid.Val(), group)
		members = append(members, l)
	}
	for _, l := range members {
		l.wait(b)
	}
}

// terminal makes a pseudo-terminal and returns the descriptors of its two ends;
// children inherit that of the slave.
func (s *scene) terminal() (master, slave int) {
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	s.check(err, "make a terminal")
	s.check(unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0), "unlock the terminal")
	n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	s.check(err, "find the terminal")
	slave, err = unix.Open(fmt.Sprintf("/dev/pts/%d", n), unix.O_RDWR|unix.O_NOCTTY, 0)
	s.check(err, "open the terminal")
	return master, slave
}

func setsid(b *raw.Block) { b.Must("setsid", unix.SYS_SETSID) }

// control makes the terminal that of the session.
func control(b *raw.Block, tty int) {
	b.Must("TIOCSCTTY", unix.SYS_IOCTL, raw.N(tty), raw.N(unix.TIOCSCTTY), raw.N(0))
}

// job starts a program that leads a session, with a terminal or without one, and
// starts another in a process group of its own.
func job(terminal bool) func(*scene) {
	return func(s *scene) {
		leader, member := s.life("leader"), s.life("member")
		memberPath := member.program("member", func(b *raw.Block) { member.park(b); member.leave(b, 0) })
		path := leader.program("leader", func(b *raw.Block) {
			member.fork(b, func(c *raw.Block) {
				c.Must("setpgid", unix.SYS_SETPGID, raw.N(0), raw.N(0))
				member.exec(c, memberPath, "member")
			})
			leader.park(b)
			member.wait(b)
			leader.leave(b, 0)
		})
		tty := -1
		if terminal {
			_, tty = s.terminal()
		}
		s.run(func(b *raw.Block) {
			leader.fork(b, func(c *raw.Block) {
				setsid(c)
				if terminal {
					control(c, tty)
				}
				leader.exec(c, path, "leader")
			})
		})
		leader.observe()
		member.observe()
		member.gate.Open()
		leader.gate.Open()
		leader.reap()
		leader.p.Origin, member.p.Origin = 0, leader.p.PID // the session is a trace of its own
		if terminal {
			member.p.Origin = 0 // and so is the job
		}
	}
}

// cgroups starts programs in the cgroup whose directories are its arguments: two
// at the same time, one when they have ended, and one that enters it by itself
// and then starts another.
func cgroups(s *scene) {
	first, second, again := s.life("first"), s.life("second"), s.life("again")
	mover, command := s.life("mover"), s.life("command")
	enter := func(b *raw.Block) {
		for _, dir := range s.args {
			s.tell(b, dir+"/cgroup.procs", "0")
		}
	}
	begin := func(l *life, body func(*raw.Block)) {
		path := l.program(l.p.Label, body)
		s.run(func(b *raw.Block) {
			l.fork(b, func(c *raw.Block) { enter(c); l.exec(c, path, l.p.Label) })
		})
	}
	begin(first, func(b *raw.Block) { first.park(b); first.leave(b, 0) })
	s.check(first.parked.Await(patience), "wait until the first runs")
	begin(second, func(b *raw.Block) { second.leave(b, 0) })
	second.reap()
	first.gate.Open()
	first.reap()
	begin(again, func(b *raw.Block) { again.leave(b, 0) })
	again.reap()

	commandPath := command.program("command", func(b *raw.Block) { command.leave(b, 0) })
	path := mover.program("mover", func(b *raw.Block) {
		enter(b)
		command.spawn(b, commandPath, "command")
		command.wait(b)
		mover.leave(b, 0)
	})
	s.run(func(b *raw.Block) { mover.spawn(b, path, "mover") })
	mover.reap()
}

// bornInCgroup starts a program in the cgroup whose directory is its argument,
// by means of clone3.
func bornInCgroup(s *scene) {
	cgroup, err := unix.Open(s.args[0], unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	s.check(err, "open the cgroup")
	child := s.life("child")
	path := child.program("child", func(b *raw.Block) { child.leave(b, 0) })
	s.run(func(b *raw.Block) {
		child.forkInto(b, cgroup, func(c *raw.Block) { child.exec(c, path, "child") })
	})
	child.reap()
}

// container starts a program in a cgroup that it makes, and removes as soon as
// the program has ended; the program stands still to be looked at, or does not.
// Arguments: the cgroup's path and the directories that it is made beneath.
func container(look bool) func(*scene) {
	return func(s *scene) {
		l := s.life("child")
		path := l.program("contained", func(b *raw.Block) {
			if look {
				l.park(b)
			}
			l.leave(b, 0)
		})
		for _, top := range s.args[1:] {
			s.check(os.MkdirAll(top+s.args[0], 0o755), "make a cgroup")
		}
		s.run(func(b *raw.Block) {
			l.fork(b, func(c *raw.Block) {
				for _, top := range s.args[1:] {
					s.tell(c, top+s.args[0]+"/cgroup.procs", "0")
				}
				l.exec(c, path, "contained")
			})
		})
		if look {
			l.finish()
		} else {
			l.reap()
			l.p.ParentPID, l.p.Executable, l.p.Directory, l.p.Args = os.Getpid(), path, s.dir, [][]byte{[]byte("contained")}
		}
		l.p.Origin = 0 // the cgroup is a trace of its own
		for _, top := range s.args[1:] {
			for dir := top + s.args[0]; dir != top; dir = filepath.Dir(dir) {
				s.removeCgroup(dir)
			}
		}
	}
}

// removeCgroup removes one whose last process may take a moment to leave.
func (s *scene) removeCgroup(dir string) {
	err := unix.Rmdir(dir)
	for giveUp := time.Now().Add(patience); errors.Is(err, unix.EBUSY) && time.Now().Before(giveUp); {
		err = unix.Rmdir(dir)
	}
	s.check(err, "remove a cgroup")
}
