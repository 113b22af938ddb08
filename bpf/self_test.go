package bpf

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	ossignal "os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain lets the test binary be the processes that are watched.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "be" {
		be(os.Args[2])
	}
	os.Exit(m.Run())
}

// be is the main function of the test's processes. They run this binary, the only one
// in a guest.
func be(what string) {
	switch what {
	case "exit 0":
	case "observer":
		observer()
	case "deep observer":
		deepObserver()
	case "UTS observer":
		utsObserver()
	case "exit 3":
		os.Exit(3)
	case "parent": // of an exit 0, then exit 3
		if err := self("exit 0").Run(); err == nil {
			os.Exit(3)
		}
		os.Exit(4)
	case "idle": // until the end of the input
		_, _ = os.Stdout.Write([]byte{1})
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "late parent": // of an exit 0, after a byte of input
		_, _ = os.Stdin.Read(make([]byte, 1))
		if self("exit 0").Run() != nil {
			os.Exit(4)
		}
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "survive": // SIGUSR1, until the end of the input
		ossignal.Ignore(unix.SIGUSR1)
		_, _ = os.Stdout.Write([]byte{1})
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "kill oneself":
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "exit 137":
		os.Exit(137)
	case "late touch": // at the end of the input
		_, _ = os.Stdout.Write([]byte{1})
		_, _ = io.Copy(io.Discard, os.Stdin)
		touch(touched)
	case "race to exit":
		raceToExit()
	case "burn 1ms":
		burn(time.Millisecond)
	case "burn 10ms":
		burn(10 * time.Millisecond)
	case "burn 100ms":
		burn(100 * time.Millisecond)
	case "burn in threads":
		burnInThreads()
	case "leader first":
		leaderFirst()
	case "touch":
		touch(touched)
	case "burn and exec":
		burn(20 * time.Millisecond)
		path, _ := os.Executable()
		fmt.Print(cpuTime().Nanoseconds())
		_ = unix.Exec(path, []string{path, "be", "exit 0"}, nil)
		os.Exit(4)
	case "peak":
		peak()
	case "contend":
		contend()
	case "write":
		if err := os.WriteFile("file", make([]byte, written), 0o600); err != nil {
			os.Exit(4)
		}
	case "sleep":
		for range 100 {
			time.Sleep(10 * time.Microsecond)
		}
	}
	if what, ok := strings.CutPrefix(what, "tree "); ok {
		grow(what)
	}
	if pid, ok := strings.CutPrefix(what, "kill "); ok {
		pid, err := strconv.Atoi(pid)
		if err != nil || unix.Kill(pid, unix.SIGKILL) != nil {
			os.Exit(4)
		}
	}
	os.Exit(0)
}

// self returns a command that runs this binary to be something.
func self(what string) *exec.Cmd {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(path, "be", what)
	// The race detector's runtime would sleep a second before each exit.
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	return cmd
}

// ready starts a command and returns once it has written a byte of output: Start
// returns while the kernel still works on the exec. The command ends with its input.
func ready(t *testing.T, cmd *exec.Cmd) (in io.Closer) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	skipRefused(t, cmd.Start())
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Errorf("wait until %s runs: %v", cmd, err)
	}
	return in
}

// raceToExit ends the process by letting all its threads exit at once, without
// exit_group.
func raceToExit() {
	const threads = 8
	runtime.GOMAXPROCS(threads)
	start := make(chan struct{})
	for range threads {
		go func() {
			runtime.LockOSThread()
			<-start
			unix.RawSyscall(unix.SYS_EXIT, 5, 0, 0)
		}()
	}
	close(start)
	// The threads of the runtime go on; the first of the test's to notice ends
	// them all.
	unix.Exit(5)
}

// burn computes for so long. It reads no CPU clock, which would make the kernel update
// its counters.
func burn(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		sum := 0
		for i := range 100_000 {
			sum += i
		}
		sink.Store(int64(sum))
	}
}

// cpuTime is the CPU time that this process has used, in all its threads.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// The bytes that be touches and writes.
const (
	touched = 32 << 20
	written = 3 << 20
)

// sink keeps work from being optimized away.
var sink atomic.Int64

// burnInThreads uses CPU time in threads that exit one by one.
func burnInThreads() {
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			runtime.LockOSThread() // and it ends with the goroutine
			burn(time.Duration(5*(i+1)) * time.Millisecond)
		})
	}
	wait.Wait()
}

// leaderFirst lets the leader exit after some work, then the others.
func leaderFirst() {
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		burn(10 * time.Millisecond)
		<-done
		time.Sleep(5 * time.Millisecond)
		unix.Exit(0)
	}()
	burn(20 * time.Millisecond)
	close(done)
	unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
}

// touch faults memory in, page by page.
func touch(size int) []byte {
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		os.Exit(4)
	}
	_ = unix.Madvise(memory, unix.MADV_NOHUGEPAGE) // ignored if unsupported
	for i := 0; i < size; i += os.Getpagesize() {
		memory[i] = 1
	}
	return memory
}
