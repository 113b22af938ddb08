package main

import (
	"bytes"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// limitMemory sets the garbage collector's limit by that of the cgroup, unless
// GOMEMLIMIT does, and returns the cgroup's; 0 is none. The rest of it is for the ring,
// BPF maps, and the files of a tmpfs, which count there as well.
func limitMemory() (limit int64) {
	limit = cgroupMemory(os.DirFS("/"))
	if limit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit / 10 * 6)
	}
	return limit
}

// cgroupMemory returns the least memory limit of this process's cgroups and those
// above them; 0 is none.
func cgroupMemory(root fs.FS) int64 {
	lines, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	least := int64(math.MaxInt64)
	for line := range bytes.Lines(lines) { // hierarchy:controllers:path
		parts := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
		if len(parts) != 3 {
			continue
		}
		mounts, file := []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"}, "memory.max"
		switch {
		case strings.Contains(","+parts[1]+",", ",memory,"):
			mounts, file = []string{"sys/fs/cgroup/memory"}, "memory.limit_in_bytes"
		case parts[1] != "":
			continue
		}
		for _, mount := range mounts {
			for at := path.Clean("/" + parts[2]); ; at = path.Dir(at) {
				least = min(least, readLimit(root, path.Join(mount, at, file)))
				if at == "/" {
					break
				}
			}
		}
	}
	if least > 1<<50 { // version 1 has a huge number for none
		return 0
	}
	return least
}

// readLimit returns the number in a file, or a huge one.
func readLimit(root fs.FS, name string) int64 {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return math.MaxInt64
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n <= 0 {
		return math.MaxInt64
	}
	return n
}
