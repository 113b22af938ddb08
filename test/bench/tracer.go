package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the CPU time of all threads of a process so far, user and
// system, to the nanosecond (clock_getcpuclockid).
func cpuTime(pid int) (time.Duration, error) {
	const schedClock = 2 // CPUCLOCK_SCHED, of a process
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &ts); err != nil {
		return 0, fmt.Errorf("read the CPU time of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// hostCPU returns the CPU time that everything on this host has taken, in ns.
func hostCPU() (int64, error) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read the host's CPU time: %w", err)
	}
	return busy(string(data))
}

// busy finds it in /proc/stat: all that is neither idle nor waiting for I/O.
func busy(stat string) (ns int64, err error) {
	const tick = 1e9 / 100 // USER_HZ
	var user, nice, system, idle, iowait, irq, softirq, steal int64
	if _, err := fmt.Sscanf(stat, "cpu %d %d %d %d %d %d %d %d",
		&user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal); err != nil {
		return 0, fmt.Errorf("read the host's CPU time: %w", err)
	}
	return tick * (user + nice + system + irq + softirq + steal), nil
}

// cpu returns the CPU time of all processes of the tracer.
func (t *tracer) cpu() (sum time.Duration, err error) {
	for _, p := range t.processes {
		one, err := cpuTime(p.Process.Pid)
		if err != nil {
			return 0, fmt.Errorf("%w; it said: %s", err, t.said)
		}
		sum += one
	}
	return sum, nil
}

// rss returns the bytes of memory that all processes of the tracer have
// resident, and the most that they had.
func (t *tracer) rss() (now, peak int64, err error) {
	for _, p := range t.processes {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
		if err != nil {
			return 0, 0, fmt.Errorf("read the memory of a tracer: %w", err)
		}
		now += kilobytes(string(status), "VmRSS:")
		peak += kilobytes(string(status), "VmHWM:")
	}
	return now, peak, nil
}

// kilobytes returns a line of /proc/PID/status in bytes.
func kilobytes(status, key string) int64 {
	_, rest, _ := strings.Cut(status, key)
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(fields[0], 10, 64)
	return n << 10
}

// awaitLines returns when lines of new processes have come from each program:
// they buffer what they print, so there have to be some.
func (l *lab) awaitLines(ctx context.Context, t *tracer) error {
	for begin := time.Now(); ; {
		if _, err := l.storm(ctx, canaryName, 100); err != nil {
			return err
		}
		c, err := t.receiver.counts()
		if err != nil {
			return err
		}
		if c.OtherExecs > 0 && c.OtherExits > 0 {
			return nil
		}
		if c.done || time.Since(begin) > 30*time.Second {
			return fmt.Errorf("nothing was printed; it said: %s", t.said)
		}
	}
}

// settle returns when the tracer has done all there was to do, which is when
// everything has come, or nothing has for two seconds.
func (t *tracer) settle(ctx context.Context, want int, seen func(counts) int) error {
	const (
		each  = 100 * time.Millisecond
		quiet = 20 // times each
	)
	for last, still := (counts{}), 0; still < quiet; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(each):
		}
		c, err := t.receiver.counts()
		if err != nil {
			return err
		}
		if seen(c) >= want {
			return nil
		}
		if still++; c != last {
			last, still = c, 0
		}
	}
	return nil
}

// finish stops the tracer, which delivers what it still has, and returns what
// was received of it in all.
func (t *tracer) finish() (c counts, err error) {
	ended := t.end()
	// What the processes wrote is in the pipes, if nowhere else.
	for begin := time.Now(); err == nil; {
		if c, err = t.receiver.counts(); err != nil || c.done {
			break
		}
		if time.Since(begin) > 10*time.Second {
			err = errors.New("a tracer has ended, and its output has not")
		}
	}
	return c, errors.Join(ended, err, t.receiver.close())
}

// end stops the processes of the tracer by their pids.
func (t *tracer) end() error {
	var failed error
	for _, p := range t.processes {
		failed = errors.Join(failed, p.Process.Signal(t.stop))
	}
	for _, p := range t.processes {
		kill := time.AfterFunc(30*time.Second, func() { _ = p.Process.Kill() })
		err := p.Wait()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.Sys().(unix.WaitStatus).Signal() == t.stop {
			err = nil // execsnoop does not catch it before it observes
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w; it said: %s", filepath.Base(p.Path), err, t.said))
		}
		kill.Stop()
	}
	t.processes = nil
	return failed
}

// tail keeps the end of what a tracer says of itself.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = bytes.Clone(t.text[max(0, len(t.text)-4000):])
	return len(p), nil
}

// What bpftrace says on kernels that need no RLIMIT_MEMLOCK.
var noise = regexp.MustCompile(`(?m)^.*couldn't set RLIMIT_MEMLOCK.*\n`)

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return noise.ReplaceAllString(string(t.text), "")
}
