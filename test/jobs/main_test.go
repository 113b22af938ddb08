package jobs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The programs of the jobs: this binary under other names.
var roles = map[string]func(args []string) error{
	"burn":    burn,
	"threads": threads,
	"daemon":  daemon,
	"compile": compile,
}

func TestMain(m *testing.M) {
	name := filepath.Base(os.Args[0])
	if role, ok := roles[strings.TrimRight(name, "0123456789")]; ok {
		if err := role(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if builtIn != "" {
		os.RemoveAll(builtIn)
	}
	os.Exit(code)
}

// burn uses a CPU for args[0] seconds of CPU time.
func burn(args []string) error {
	seconds, err := strconv.ParseFloat(args[0], 64)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	for used := time.Duration(0); used.Seconds() < seconds; {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
			return err
		}
		used = time.Duration(ts.Nano())
	}
	return nil
}

// threads runs each argument as a command line, at once, and waits for each in a
// thread of its own, as cargo and Go's os/exec do.
func threads(args []string) error {
	errs := make([]error, len(args))
	var all sync.WaitGroup
	for i, line := range args {
		all.Go(func() {
			runtime.LockOSThread()
			words := strings.Fields(line)
			errs[i] = exec.Command(words[0], words[1:]...).Run()
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// compile sleeps for as many seconds as a file says.
func compile(args []string) error {
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return err
	}
	ts := unix.NsecToTimespec(int64(seconds * float64(time.Second)))
	return unix.Nanosleep(&ts, nil)
}

// daemon starts a command in a session of its own, by way of a process that ends
// at once, as daemon(3) does.
func daemon(args []string) error {
	if args[0] != "again" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		c := exec.Command(self, append([]string{"again"}, args...)...)
		c.Args[0] = os.Args[0]
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		return c.Run()
	}
	c := exec.Command(args[1], args[2:]...)
	return c.Start()
}

// needRoot skips where procspan may not trace.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root: tracing needs CAP_BPF and CAP_PERFMON")
	}
}
