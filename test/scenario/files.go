package scenario

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/test/scenario/raw"
)

// nameMax is NAME_MAX of linux/limits.h.
const nameMax = 255

// script executes a script; its interpreter is what runs.
func script(s *scene) {
	l := s.life("child")
	interpreter := l.program("interpreter", func(b *raw.Block) { l.park(b); l.leave(b, 1) })
	path := s.write("script", []byte("#!"+interpreter+" -e\n"), 0o755)
	s.run(func(b *raw.Block) { l.spawn(b, path, "argv0 is lost", "one", "two") })
	l.finish()
}

// scriptByEnv executes a script whose interpreter is found and executed by env.
func scriptByEnv(s *scene) {
	l := s.life("child")
	script := s.dir + "/script"
	interpreter := l.becomes("interpreter", func(b *raw.Block) { l.park(b); l.leave(b, 1) })
	env := l.program("env", func(b *raw.Block) { l.reexec(b, interpreter, "interpreter", "-u", script, "one") })
	s.write("script", []byte("#!"+env+" -S interpreter -u\n"), 0o755)
	s.run(func(b *raw.Block) { l.spawn(b, script, "argv0 is lost", "one") })
	l.p.First = env // what ran first: the interpreter that the script names
	l.finish()
}

// scriptOfDirectory executes a script that is named relative to an open directory.
func scriptOfDirectory(s *scene) {
	l := s.life("child")
	interpreter := l.program("interpreter", func(b *raw.Block) { l.park(b); l.leave(b, 1) })
	s.write("script", []byte("#!"+interpreter+"\n"), 0o755)
	fd, err := unix.Open(s.dir, unix.O_RDONLY|unix.O_DIRECTORY, 0) // the interpreter opens the script through it
	s.check(err, "open the directory")
	s.run(func(b *raw.Block) {
		l.fork(b, func(c *raw.Block) {
			l.beforeExec(c)
			c.Must("execveat", unix.SYS_EXECVEAT, raw.N(fd), c.Bytes("script"), c.Strings("script"), c.Strings(), raw.N(0))
		})
	})
	l.finish()
}

// strangeName executes a file whose name is as long as names get and no text.
func strangeName(s *scene) {
	l := s.life("child")
	name := "\xff\n" + strings.Repeat("x", nameMax-2)
	path := l.program(name, func(b *raw.Block) { l.park(b); l.leave(b, 0) })
	s.run(func(b *raw.Block) { l.spawn(b, path, "strange") })
	l.finish()
}

// symlink executes a symbolic link.
func symlink(s *scene) {
	l := s.life("child")
	l.program("target", func(b *raw.Block) { l.park(b); l.leave(b, 0) })
	link := s.dir + "/link"
	s.check(os.Symlink("target", link), "link")
	s.run(func(b *raw.Block) { l.spawn(b, link, "claims to be something else") })
	l.finish()
}

// deletedLater removes the executable while it runs.
func deletedLater(s *scene) {
	l := s.life("child")
	path := l.program("doomed", func(b *raw.Block) { l.park(b); l.leave(b, 0) })
	s.run(func(b *raw.Block) { l.spawn(b, path, "doomed") })
	l.observe()
	s.check(os.Remove(path), "remove the executable")
	l.gate.Open()
	l.reap()
}

// deletedBefore executes a file that has no name any more.
func deletedBefore(s *scene) {
	l := s.life("child")
	path := l.program("gone", func(b *raw.Block) { l.park(b); l.leave(b, 0) })
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	s.check(err, "open the executable")
	s.check(os.Remove(path), "remove the executable")
	s.run(func(b *raw.Block) { l.spawn(b, fmt.Sprintf("/proc/self/fd/%d", fd), "gone") })
	l.finish()
}

// memfd executes a file that never had a name.
func memfd(s *scene) {
	l := s.life("child")
	fd, err := unix.MemfdCreate("ghost", unix.MFD_CLOEXEC)
	s.check(err, "create the executable")
	image := l.image(func(b *raw.Block) { l.park(b); l.leave(b, 8) })
	_, err = unix.Write(fd, image)
	s.check(err, "write the executable")
	s.run(func(b *raw.Block) {
		l.fork(b, func(c *raw.Block) {
			l.beforeExec(c)
			c.Must("execveat", unix.SYS_EXECVEAT, raw.N(fd), c.Bytes(""), c.Strings("ghost", "in memory"), c.Strings(), raw.N(unix.AT_EMPTY_PATH))
		})
	})
	l.finish()
}

// setuid executes, as a user without rights, a file that belongs to another.
func setuid(s *scene) {
	const nobody, user = 65534, 1
	l := s.life("child")
	became := s.shared.Cells(1)
	path := l.program("setuid", func(b *raw.Block) {
		b.Into(became, unix.SYS_GETEUID)
		l.park(b)
		l.leave(b, 0)
	})
	s.check(os.Chown(path, nobody, nobody), "give the executable away")
	s.check(os.Chmod(path, 0o755|os.ModeSetuid), "mark the executable")
	s.run(func(b *raw.Block) {
		l.fork(b, func(c *raw.Block) {
			c.Must("setresuid", unix.SYS_SETRESUID, raw.N(user), raw.N(user), raw.N(user))
			l.exec(c, path, "setuid")
		})
	})
	l.finish()
	if got := became.Get(); got != nobody {
		s.check(fmt.Errorf("effective user is %d, want %d", got, nobody), "become another user")
	}
}
