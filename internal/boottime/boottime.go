// Package boottime reads the time since boot as the kernel counts it. In a time
// namespace, CLOCK_BOOTTIME and the start times in /proc are shifted
// (time_namespaces(7)); what the BPF programs report is not.
package boottime

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
)

// Now returns the time since boot.
func Now() (process.Time, error) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0, fmt.Errorf("read CLOCK_BOOTTIME: %w", err)
	}
	return process.Time(now.Nano()).Add(-Shift()), nil
}

// Shift returns by how much CLOCK_BOOTTIME and /proc are ahead of the kernel in this
// process's time namespace: 0 in the initial one. A process that runs never changes
// its time namespace.
var Shift = sync.OnceValue(func() time.Duration {
	own, err := os.Readlink("/proc/self/ns/time")
	children, childErr := os.Readlink("/proc/self/ns/time_for_children")
	if err != nil || childErr != nil || own != children {
		return 0 // before Linux 5.6; or the offsets are those of children only
	}
	text, err := os.ReadFile("/proc/self/timens_offsets")
	if err != nil {
		return 0
	}
	shift, err := parse(string(text))
	if err != nil {
		return 0
	}
	return shift
})

// parse returns the offset of CLOCK_BOOTTIME in /proc/PID/timens_offsets: lines of a
// clock, seconds and nanoseconds.
func parse(text string) (time.Duration, error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != "boottime" && fields[0] != strconv.Itoa(unix.CLOCK_BOOTTIME) {
			continue
		}
		seconds, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the offset of the time namespace: %w", err)
		}
		ns, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the offset of the time namespace: %w", err)
		}
		return time.Duration(seconds)*time.Second + time.Duration(ns), nil
	}
	return 0, nil
}
