package scenario

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/test/scenario/raw"
)

// lastThreads ends processes of two threads, each on a CPU of its own, both at
// the same moment and each by itself. Argument: how many.
func lastThreads(s *scene) {
	meet, thread := s.shared.Cells(1), s.shared.Cells(1)
	pin := func(b *raw.Block, cpu int) {
		mask := b.Bytes(string([]byte{1 << cpu, 0, 0, 0, 0, 0, 0, 0}))
		b.Try(unix.SYS_SCHED_SETAFFINITY, raw.N(0), raw.N(8), mask)
	}
	path := s.write("twins", raw.ELF(func(b *raw.Block) {
		// Giving memory back takes the very last thread some time, in which the
		// other ends altogether.
		b.Must("mmap", unix.SYS_MMAP, raw.N(0), raw.N(1<<20), raw.N(unix.PROT_READ|unix.PROT_WRITE),
			raw.N(unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_POPULATE), raw.N(-1), raw.N(0))
		b.Thread(thread, func(c *raw.Block) { pin(c, 1); c.Meet(meet, 2); c.Exit(11) })
		pin(b, 0)
		b.Meet(meet, 2)
		b.Exit(22)
	}), 0o755)
	s.repeat(path, 0, s.count(0), func(b *raw.Block) { b.Set(meet, 0) }, func(int) {})
}

// lives has two workers start short-lived processes as fast as they can.
// Argument: how many in all.
func lives(s *scene) {
	const workers = 2
	each := s.count(0) / workers
	var running []*exec.Cmd
	var truths []Process
	for i := range workers {
		p := Process{Label: fmt.Sprintf("worker %d", i), Origin: os.Getpid(), ParentPID: os.Getpid(), Directory: s.dir}
		// Not /proc/self/exe: the name of the file is part of the truth.
		self, err := os.Readlink("/proc/self/exe")
		s.check(err, "find the own executable")
		cmd := exec.Command(self, "scenario", "worker", strconv.Itoa(each), strconv.Itoa(i*each))
		cmd.Stderr = os.Stderr
		cmd.ExtraFiles = []*os.File{os.NewFile(reportFD, "report")}
		for _, arg := range cmd.Args {
			p.Args = append(p.Args, []byte(arg))
		}
		p.Executable = self
		p.Created.NotBefore = now()
		s.check(cmd.Start(), "start worker")
		p.PID = cmd.Process.Pid
		p.Started.NotBefore = p.Created.NotBefore
		running, truths = append(running, cmd), append(truths, p)
	}
	for i, cmd := range running {
		s.check(cmd.Wait(), "work")
		truths[i].Ended.NotAfter = now()
		s.report(truths[i])
	}
}

// worker is one of the workers. Arguments: how many, and the number of the first.
func worker(s *scene) {
	s.self = nil
	first := s.count(1)
	code := s.shared.Cells(1)
	dir := strconv.Itoa(first)
	s.check(os.Mkdir(dir, 0o755), "make a directory")
	path := s.write(dir+"/brief", raw.ELF(func(b *raw.Block) {
		b.Try(unix.SYS_EXIT_GROUP, code.Val())
	}), 0o755)
	s.repeat(path, first, s.count(0), func(*raw.Block) {}, func(i int) { code.Put(int64(i) & 0xff) })
}

func (s *scene) count(arg int) int {
	if len(s.args) <= arg {
		s.check(fmt.Errorf("%d given", len(s.args)), "read the arguments")
	}
	n, err := strconv.Atoi(s.args[arg])
	s.check(err, "read the arguments")
	return n
}

// repeat executes path n times, one after the other, with a number from first
// on as the argument, and reports them all at the end.
func (s *scene) repeat(path string, first, n int, setup func(*raw.Block), before func(i int)) {
	const digits = 6
	b, err := raw.New(64 << 10)
	s.check(err, "run")
	defer b.Free()
	cells := s.shared.Cells(2 + 2*raw.UsageCells)
	number, numberAddr := b.Slot(digits + 1)
	setup(b)
	b.Vfork(cells, func(c *raw.Block) {
		c.Usage(cells.At(2 + raw.UsageCells))
		argv := c.Pointers(c.Bytes("life"), numberAddr)
		c.Must("exec "+path, unix.SYS_EXECVE, c.Bytes(path), argv, c.Strings())
	})
	b.WaitUsage(cells, cells.At(1), cells.At(2))

	truths := make([]Process, 0, n)
	for i := first; i < first+n; i++ {
		before(i)
		copy(number, fmt.Sprintf("%0*d", digits, i))
		begin := now()
		b.Run()
		whole, used, unused := Moment{begin, now()}, cells.At(2).Usage(), cells.At(2+raw.UsageCells).Usage()
		truths = append(truths, Process{
			Label: fmt.Sprintf("life %d", i), PID: int(cells.Get()), ParentPID: os.Getpid(), Origin: os.Getpid(),
			Status: unix.WaitStatus(uint32(cells.At(1).Get())), Executable: path, Directory: s.dir,
			Args: [][]byte{[]byte("life"), fmt.Appendf(nil, "%0*d", digits, i)},
			Used: &used, Before: &unused, Created: whole, Started: whole, Ended: whole,
		})
		if done := i - first + 1; done%2500 == 0 {
			fmt.Fprintf(os.Stderr, "process %d: %d of %d lives\n", os.Getpid(), done, n)
		}
	}
	for _, p := range truths {
		s.report(p)
	}
}
