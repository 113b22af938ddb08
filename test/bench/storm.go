package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/test/scenario/raw"
)

const (
	roleWorker = "worker"
	roleCrowd  = "crowd"
)

// Names of the programs that are started. Tracers are asked about the first
// alone, whatever else the host does. No longer than a comm, 15 bytes.
const (
	stormName  = "storm-child"
	canaryName = "storm-canary"
	crowdName  = "storm-sleeper"
)

// workers is how many processes start children at the same time.
const workers = 2

// writePrograms writes the programs that are started to dir: static, without a
// runtime, about a kilobyte. One ends at once; one when its standard input does.
func writePrograms(dir string) error {
	brief := raw.ELF(func(b *raw.Block) { b.ExitGroup(0) })
	sleeper := raw.ELF(func(b *raw.Block) {
		_, buffer := b.Slot(8)
		b.Must("read", unix.SYS_READ, raw.N(0), buffer, raw.N(1))
		b.ExitGroup(0)
	})
	for name, image := range map[string][]byte{stormName: brief, canaryName: brief, crowdName: sleeper} {
		if err := os.WriteFile(filepath.Join(dir, name), image, 0o755); err != nil {
			return fmt.Errorf("write a program to start: %w", err)
		}
	}
	return nil
}

// childEnvironment is what the children get: as many strings as a login shell
// has, 2 KB. Tracers that look for something in there have to.
func childEnvironment() []string {
	env := make([]string, 35)
	for i := range env {
		env[i] = fmt.Sprintf("STORM_VARIABLE_%02d=/a/value/as/long/as/others/%s", i, strings.Repeat("x", 13))
	}
	return env
}

// childArguments is the argv of a child, the last argument its number: what is
// searched for secrets, and holds none, as nearly all that is executed.
func childArguments(name, number string) []string {
	return []string{name, "-O2", "--output=/tmp/storm/object.o", "--jobs=2", number}
}

const digits = 7

// starter runs one program again and again, by vfork, exec and (reap) wait4,
// with nothing of a runtime in between.
type starter struct {
	block  *raw.Block
	number []byte
	status raw.Cell
}

func newStarter(path string, reap bool) (*starter, error) {
	shared, err := raw.Share()
	if err != nil {
		return nil, err
	}
	b, err := raw.New(64 << 10)
	if err != nil {
		return nil, err
	}
	pid, status := shared.Cells(1), shared.Cells(1)
	number, address := b.Slot(digits + 1)
	var argv []raw.Arg
	for _, arg := range childArguments(filepath.Base(path), "") {
		argv = append(argv, b.Bytes(arg))
	}
	argv[len(argv)-1] = address
	env := b.Strings(childEnvironment()...)
	b.Vfork(pid, func(c *raw.Block) {
		c.Must("exec "+path, unix.SYS_EXECVE, c.Bytes(path), c.Pointers(argv...), env)
	})
	if reap {
		b.Wait(pid, status)
	}
	return &starter{block: b, number: number, status: status}, nil
}

// start starts the i-th child, and waits for its end if the starter reaps.
func (s *starter) start(i int) error {
	for at := digits - 1; at >= 0; at-- {
		s.number[at] = '0' + byte(i%10)
		i /= 10
	}
	s.block.Run()
	if status := s.status.Get(); status != 0 {
		return fmt.Errorf("a child ended with wait status %#x", status)
	}
	return nil
}

// work is one of the workers of a storm. Arguments: the program, how many
// times, the number of the first. It says "ready", waits for a line, starts
// them one after the other, and says when it began and ended (CLOCK_MONOTONIC)
// and what CPU time it and its children took, all in ns.
func work(args []string) error {
	path, n, first, err := program(args)
	if err != nil {
		return err
	}
	s, err := newStarter(path, true)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return fmt.Errorf("wait for the start: %w", err)
	}
	begin, used := monotonic(), -ownCPU()
	for i := first; i < first+n; i++ {
		if err := s.start(i); err != nil {
			return err
		}
	}
	end := monotonic()
	used += ownCPU()
	fmt.Println(begin, end, used)
	return nil
}

// ownCPU returns the CPU time of this process and of the children that it has
// waited for, user and system, in ns.
func ownCPU() (sum int64) {
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		_ = unix.Getrusage(who, &u) // cannot fail
		sum += u.Utime.Nano() + u.Stime.Nano()
	}
	return sum
}

func program(args []string) (path string, n, first int, err error) {
	if len(args) != 3 {
		return "", 0, 0, fmt.Errorf("want a program, a count and a first number, got %q", args)
	}
	n, err = strconv.Atoi(args[1])
	if err == nil {
		first, err = strconv.Atoi(args[2])
	}
	return args[0], n, first, err
}

func monotonic() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail
	return ts.Nano()
}

// load is what a storm or a build took, in ns.
type load struct {
	Took int64 `json:"took_ns"` // from the first start to the last end
	CPU  int64 `json:"cpu_ns"`  // of its processes
	// HostCPU is of all processes of the host, with what interrupts and other
	// guests of the same machine took, by the 10 ms.
	HostCPU int64 `json:"host_cpu_ns"`
}

// storm has the workers start n processes in all.
func (l *lab) storm(ctx context.Context, name string, n int) (done load, err error) {
	type worker struct {
		cmd *exec.Cmd
		in  io.WriteCloser
		out *bufio.Reader
	}
	var all []worker
	defer func() {
		for _, w := range all {
			w.in.Close()
			if w.cmd.ProcessState == nil { // not waited for: something failed
				_ = w.cmd.Process.Kill()
				_ = w.cmd.Wait()
			}
		}
	}()
	for i := range workers {
		cmd := exec.CommandContext(ctx, l.self, roleWorker, filepath.Join(l.dir, name), strconv.Itoa(n/workers), strconv.Itoa(i*n/workers))
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			return done, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return done, err
		}
		if err := cmd.Start(); err != nil {
			return done, fmt.Errorf("start a worker: %w", err)
		}
		all = append(all, worker{cmd, in, bufio.NewReader(out)})
	}
	for _, w := range all {
		if line, err := w.out.ReadString('\n'); err != nil || line != "ready\n" {
			return done, fmt.Errorf("a worker did not get ready: %q (%w)", line, err)
		}
	}
	host, err := hostCPU()
	if err != nil {
		return done, err
	}
	for _, w := range all {
		if _, err := io.WriteString(w.in, "go\n"); err != nil {
			return done, fmt.Errorf("start the storm: %w", err)
		}
	}
	var first, last int64
	for i, w := range all {
		var begin, end, used int64
		_, scanned := fmt.Fscan(w.out, &begin, &end, &used)
		if err := errors.Join(w.cmd.Wait(), scanned); err != nil {
			return done, fmt.Errorf("a worker failed: %w", err)
		}
		if i == 0 || begin < first {
			first = begin
		}
		last = max(last, end)
		done.CPU += used
	}
	hostAfter, err := hostCPU()
	done.Took, done.HostCPU = last-first, hostAfter-host
	return done, err
}
