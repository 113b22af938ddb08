package main

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// readerNice is the nice value of procspan's threads while it observes: a storm of
// processes must not keep it from reading the ring buffer.
const readerNice = -10

// prioritize gives procspan's threads more weight than the processes it observes, as
// far as the privileges allow. Those it has started keep theirs.
func prioritize() {
	threads, _ := os.ReadDir("/proc/self/task")
	for _, thread := range threads {
		id, _ := strconv.Atoi(thread.Name())
		// The system call, unlike the C library, returns 20 - nice.
		if weight, err := unix.Getpriority(unix.PRIO_PROCESS, id); err == nil && 20-weight > readerNice {
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, readerNice)
		}
	}
}
