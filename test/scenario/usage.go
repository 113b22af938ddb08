package scenario

import (
	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/test/scenario/raw"
)

// Where a program has memory of its own, and how much.
const (
	roomBase = 1 << 36
	roomSize = 64 << 20
)

// room adds memory, none of it resident, in pages of the smallest size.
func room(b *raw.Block) {
	b.Must("mmap", unix.SYS_MMAP, raw.N(roomBase), raw.N(roomSize), raw.N(unix.PROT_READ|unix.PROT_WRITE),
		raw.N(unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED), raw.N(-1), raw.N(0))
	b.Try(unix.SYS_MADVISE, raw.N(roomBase), raw.N(roomSize), raw.N(unix.MADV_NOHUGEPAGE))
}

// open adds the opening of a file.
func (s *scene) open(b *raw.Block, path string, flags int) (fd raw.Cell) {
	fd = s.shared.Cells(1)
	b.Into(fd, unix.SYS_OPENAT, raw.N(unix.AT_FDCWD), b.Bytes(path), raw.N(flags|unix.O_CLOEXEC), raw.N(0o600))
	return fd
}

// read adds a read of n zeros into the room, which makes that resident.
func (s *scene) read(b *raw.Block, n int) {
	b.Must("read", unix.SYS_READ, s.open(b, "/dev/zero", unix.O_RDONLY).Val(), raw.N(roomBase), raw.N(n))
}

// save adds a write of n bytes of the room to a new file on the disk.
func (s *scene) save(b *raw.Block, name string, n int) {
	fd := s.open(b, s.dir+"/"+name, unix.O_WRONLY|unix.O_CREAT)
	b.Must("write", unix.SYS_WRITE, fd.Val(), raw.N(roomBase), raw.N(n))
	b.Must("fsync", unix.SYS_FSYNC, fd.Val())
}

// load adds a look at one byte of each of the first pages of a saved file that is
// not in memory any more.
func (s *scene) load(b *raw.Block, name string, pages int) {
	const base, page = roomBase + roomSize, 64 << 10
	fd := s.open(b, s.dir+"/"+name, unix.O_RDONLY)
	b.Must("fadvise64", unix.SYS_FADVISE64, fd.Val(), raw.N(0), raw.N(0), raw.N(unix.FADV_DONTNEED))
	b.Must("mmap", unix.SYS_MMAP, raw.N(base), raw.N(pages*page), raw.N(unix.PROT_READ),
		raw.N(unix.MAP_SHARED|unix.MAP_FIXED), fd.Val(), raw.N(0))
	for i := range pages {
		b.Try(unix.SYS_GETPPID, raw.Cell(base+i*page).Val())
	}
}

// modest starts a program that reads 3000 bytes, saves 5000 and naps, and that
// waits for one that reads 32 MiB, saves 4 MiB, takes page faults from the disk
// and spins all the time that the first naps.
func modest(s *scene) {
	parent, greedy := s.life("parent"), s.life("greedy")
	tired, rested := s.gate(), s.gate()
	greedyPath := greedy.program("greedy", func(b *raw.Block) {
		greedy.park(b)
		room(b)
		s.read(b, 32<<20)
		s.save(b, "much", 4<<20)
		s.load(b, "much", 16)
		b.Open(tired)
		b.Spin(rested)
		greedy.leave(b, 0)
	})
	path := parent.program("modest", func(b *raw.Block) {
		room(b)
		parent.park(b)
		s.read(b, 3000)
		s.save(b, "little", 5000)
		greedy.spawn(b, greedyPath, "greedy")
		b.Await(tired)
		for range 10 {
			b.Nap(20)
		}
		b.Open(rested)
		greedy.wait(b)
		parent.leave(b, 0)
	})
	s.run(func(b *raw.Block) { parent.spawn(b, path, "modest") })
	parent.observe()
	parent.gate.Open()
	greedy.observe()
	greedy.gate.Open()
	parent.reap()
	greedy.p.Origin = parent.p.PID
}

// modestThreads starts a program of four threads that end one after the other,
// the first one first. Each reads, saves and spins before.
func modestThreads(s *scene) {
	l := s.life("child")
	threads, turns := s.shared.Cells(3), s.shared.Cells(4)
	use := func(b *raw.Block, i int) {
		b.Spin(turns.At(i))
		s.read(b, 1000<<i)
		s.save(b, string(rune('a'+i)), 3000<<i)
	}
	path := l.program("threads", func(b *raw.Block) {
		room(b)
		l.park(b)
		for i := range 2 {
			b.Thread(threads.At(i), func(c *raw.Block) {
				use(c, i+1)
				c.Open(turns.At(i + 2))
				c.Exit(0)
			})
		}
		b.Thread(threads.At(2), func(c *raw.Block) {
			use(c, 3)
			c.Nap(50) // the others have ended altogether
			l.leave(c, 0)
		})
		b.Open(turns)
		use(b, 0)
		b.Nap(50)
		b.Open(turns.At(1))
		b.Exit(0)
	})
	s.run(func(b *raw.Block) { l.spawn(b, path, "threads") })
	l.finish()
}

// outOfMemory starts a program in the cgroups whose directories are its
// arguments; there is too little memory there for the program.
func outOfMemory(s *scene) {
	l := s.life("child")
	path := l.program("hungry", func(b *raw.Block) {
		l.park(b)
		room(b)
		b.Clock(l.ending)
		s.read(b, roomSize)
		l.leave(b, 0)
	})
	s.run(func(b *raw.Block) {
		l.fork(b, func(c *raw.Block) {
			for _, dir := range s.args {
				s.tell(c, dir+"/cgroup.procs", "0")
			}
			l.exec(c, path, "hungry")
		})
	})
	l.finish()
	l.p.Origin = 0 // the cgroup is a trace of its own
}
