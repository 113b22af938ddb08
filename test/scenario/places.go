package scenario

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/test/scenario/raw"
)

// place executes dir/bin/prog as path, after the steps of enter.
func (s *scene) place(path string, enter func(*raw.Block)) {
	l := s.life("child")
	s.check(os.MkdirAll(s.dir+"/root/bin", 0o755), "make a root")
	s.check(os.MkdirAll(s.dir+"/mount", 0o755), "make a mount point")
	l.program("root/bin/prog", func(b *raw.Block) { l.park(b); l.leave(b, 0) })
	s.run(func(b *raw.Block) {
		l.fork(b, func(c *raw.Block) {
			enter(c)
			l.exec(c, path, "prog")
		})
	})
	l.finish()
}

// chroot executes a program under another root directory.
func chroot(s *scene) {
	s.place("/bin/prog", func(c *raw.Block) {
		c.Must("chroot", unix.SYS_CHROOT, c.Bytes(s.dir+"/root"))
		chdir(c, "/")
	})
}

// mountNamespace executes a program under a mount that only it sees.
func mountNamespace(s *scene) {
	s.place(s.dir+"/mount/bin/prog", func(c *raw.Block) {
		ownMounts(c)
		mount(c, s.dir+"/root", s.dir+"/mount", "", unix.MS_BIND)
		chdir(c, s.dir+"/mount/bin")
	})
}

// pivotRoot executes a program as a container does: under a root of its own, and
// the old one out of sight.
func pivotRoot(s *scene) {
	s.place("/bin/prog", func(c *raw.Block) {
		ownMounts(c)
		mount(c, s.dir+"/root", s.dir+"/root", "", unix.MS_BIND)
		chdir(c, s.dir+"/root")
		c.Must("pivot_root", unix.SYS_PIVOT_ROOT, c.Bytes("."), c.Bytes("."))
		c.Must("umount2", unix.SYS_UMOUNT2, c.Bytes("."), raw.N(unix.MNT_DETACH))
		chdir(c, "/bin")
	})
}

// namespaces executes a program in namespaces of its own, of every kind.
func namespaces(s *scene) {
	keeper, l := s.life("keeper"), s.life("child")
	keeper.p.NoSpan = true
	path := l.program("apart", func(b *raw.Block) { l.park(b); l.leave(b, 0) })
	const all = unix.CLONE_NEWCGROUP | unix.CLONE_NEWIPC | unix.CLONE_NEWNS | unix.CLONE_NEWNET |
		unix.CLONE_NEWPID | unix.CLONE_NEWTIME | unix.CLONE_NEWUSER | unix.CLONE_NEWUTS
	// Those of pids and time are for its children only.
	s.run(func(b *raw.Block) {
		keeper.fork(b, func(k *raw.Block) {
			k.Must("unshare", unix.SYS_UNSHARE, raw.N(all))
			l.spawn(k, path, "apart")
			l.wait(k)
			keeper.leave(k, 0)
		})
	})
	l.observe()
	l.gate.Open()
	keeper.reap()
}

// deepDirectory executes a program in a directory below n others.
func deepDirectory(n int) func(*scene) {
	return func(s *scene) {
		deep := s.dir + strings.Repeat("/deep-directory", n)
		s.check(os.MkdirAll(deep, 0o755), "make directories")
		s.place(s.dir+"/root/bin/prog", func(c *raw.Block) { chdir(c, deep) })
	}
}

// rootDirectory executes a program in the root directory.
func rootDirectory(s *scene) {
	s.place(s.dir+"/root/bin/prog", func(c *raw.Block) { chdir(c, "/") })
}

// removedDirectory executes a program in a directory that is no more.
func removedDirectory(s *scene) {
	removed := s.dir + "/removed"
	s.check(os.Mkdir(removed, 0o755), "make a directory")
	s.place(s.dir+"/root/bin/prog", func(c *raw.Block) {
		chdir(c, removed)
		c.Must("rmdir", unix.SYS_UNLINKAT, raw.N(unix.AT_FDCWD), c.Bytes(removed), raw.N(unix.AT_REMOVEDIR))
	})
}

// ownMounts enters a mount namespace whose mounts stay within it.
func ownMounts(b *raw.Block) {
	b.Must("unshare", unix.SYS_UNSHARE, raw.N(unix.CLONE_NEWNS))
	mount(b, "none", "/", "", unix.MS_REC|unix.MS_PRIVATE)
}

func mount(b *raw.Block, source, target, fstype string, flags uintptr) {
	b.Must("mount "+target, unix.SYS_MOUNT, b.Bytes(source), b.Bytes(target), b.Bytes(fstype), raw.N(flags), raw.N(0))
}

func chdir(b *raw.Block, dir string) { b.Must("chdir "+dir, unix.SYS_CHDIR, b.Bytes(dir)) }
