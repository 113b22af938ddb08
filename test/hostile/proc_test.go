package hostile

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Processes whose /proc/PID/environ and cmdline have 2 GiB each, and one with
// 250,000 variables of one name, neither keep an agent from observing nor from
// ending, and do not cost it memory.
func TestHugeProcesses(t *testing.T) {
	requireRoot(t)
	for _, role := range []string{"environ", "cmdline", "traceparents 250000"} {
		t.Run(role, func(t *testing.T) {
			dir := stage(t)
			for range 3 {
				attack(t, dir, role)
			}
			startAgent(t, dir, "", "").check()
		})
	}
}

// memoryMap is struct prctl_mm_map.
type memoryMap struct {
	startCode, endCode, startData, endData, startBrk, brk, startStack uint64
	argStart, argEnd, envStart, envEnd                                uint64
	auxv                                                              uint64
	auxvSize                                                          uint32
	exe                                                               int32
}

// growArea makes 2 GiB of nothing this process's environment or arguments.
func growArea(which string) error {
	const size = 2 << 30
	area, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return fmt.Errorf("map: %w", err)
	}
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+2:]))
	field := func(n int) uint64 { // as proc_pid_stat(5) numbers them
		value, _ := strconv.ParseUint(fields[n-3], 10, 64)
		return value
	}
	m := memoryMap{
		startCode: field(26), endCode: field(27), startStack: field(28), startData: field(45), endData: field(46),
		startBrk: field(47), brk: field(47), argStart: field(48), argEnd: field(49), envStart: field(50), envEnd: field(51),
		exe: -1,
	}
	begin := uint64(uintptr(unsafe.Pointer(&area[0])))
	if which == "environ" {
		m.envStart, m.envEnd = begin, begin+size
	} else {
		m.argStart, m.argEnd, m.envStart, m.envEnd = begin, begin+size, begin+size, begin+size
	}
	err = unix.Prctl(unix.PR_SET_MM, unix.PR_SET_MM_MAP, uintptr(unsafe.Pointer(&m)), unsafe.Sizeof(m), 0)
	if err != nil {
		return fmt.Errorf("set the memory map: %w", err)
	}
	return nil
}

// manyTraceparents becomes an idle process with count empty TRACEPARENTs.
func manyTraceparents(count string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	// The kernel takes a quarter of the stack's limit.
	unlimited := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if err := unix.Setrlimit(unix.RLIMIT_STACK, &unlimited); err != nil {
		return fmt.Errorf("set the stack's limit: %w", err)
	}
	variables := make([]string, 0, n+1)
	for range n {
		variables = append(variables, "TRACEPARENT=")
	}
	cat, err := exec.LookPath("cat")
	if err != nil {
		return err
	}
	if err := unix.Exec(cat, []string{"cat"}, variables); err != nil {
		return fmt.Errorf("become cat: %w", err)
	}
	return nil
}
