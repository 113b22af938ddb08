package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// crowd starts many sleeping processes. Arguments: the program, how many, the
// number of the first. It says "up" when all have been started. They end when
// this process's standard input does, however the bench ends.
func crowd(args []string) error {
	path, n, first, err := program(args)
	if err != nil {
		return err
	}
	s, err := newStarter(path, false)
	if err != nil {
		return err
	}
	for i := first; i < first+n; i++ {
		if err := s.start(i); err != nil {
			return err
		}
	}
	fmt.Println("up")
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.ECHILD):
			return nil
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("wait for the crowd: %w", err)
		case status != 0:
			return fmt.Errorf("one of the crowd ended with wait status %#x", status)
		}
	}
}

// gather has n processes live until the function it returns is called, which
// waits for their end.
func (l *lab) gather(ctx context.Context, n int) (disperse func() error, err error) {
	cmd := exec.CommandContext(ctx, l.self, roleCrowd, filepath.Join(l.dir, crowdName), strconv.Itoa(n), "0")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a crowd: %w", err)
	}
	disperse = func() error {
		in.Close()
		return cmd.Wait()
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "up\n" {
		return nil, errors.Join(fmt.Errorf("start %d processes: %q (%w)", n, line, err), disperse())
	}
	return disperse, nil
}

// room returns how many of want processes this host has room for: in pids,
// in its pids cgroup, and in memory, of which each sleeper takes some 100 KB
// (counted double here).
func room(want int) int {
	n := want
	limit := func(most int) { n = min(n, max(most, 0)) }
	if most, ok := number("/proc/sys/kernel/pid_max"); ok {
		limit(most / 2)
	}
	if most, ok := number("/proc/sys/kernel/threads-max"); ok {
		limit(most / 2)
	}
	for _, file := range pidLimits() {
		if most, ok := number(file); ok {
			limit(most / 2)
		}
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		limit(int(info.Freeram * uint64(info.Unit) / 2 / 200_000))
	}
	return n
}

// pidLimits returns the pids.max of this process's cgroup and those above it.
func pidLimits() (files []string) {
	self, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(self)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		top := "/sys/fs/cgroup"
		if controllers != "" {
			top = filepath.Join(top, controllers)
		}
		for dir := filepath.Clean(path); ; dir = filepath.Dir(dir) {
			files = append(files, filepath.Join(top, dir, "pids.max"))
			if dir == "/" || dir == "." {
				break
			}
		}
	}
	return files
}

// number reads a file that holds a number; "max" and no file are none.
func number(file string) (int, bool) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(data)))
	return n, err == nil
}
