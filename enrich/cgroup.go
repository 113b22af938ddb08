package enrich

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/procspan/procspan/process"
)

// Cgroup returns the paths of the process's control groups: v2 in the unified
// hierarchy, and v1 in the first hierarchy of version 1 that has it below the
// root, of those of pids, memory, cpu and systemd. A path is empty where there
// is no such hierarchy, and "/" at the root.
//
// The ids in process.Cgroup stand for the same two places, unless V1 is a root:
// then v1 may be of a later hierarchy.
func (p Proc) Cgroup(id process.ID) (v2, v1 string, err error) {
	dir := p.dir(id.PID)
	file, readErr := readFile(filepath.Join(dir, "cgroup"))
	if err := same(dir, id); err != nil {
		return "", "", err
	}
	if readErr != nil {
		return "", "", readErr
	}
	v2, v1 = cgroupPaths(string(file))
	return v2, v1, nil
}

// cgroupPaths reads lines of ID:CONTROLLERS:PATH, where a path may hold colons
// and, by the kernel's word, no newline.
func cgroupPaths(file string) (v2, v1 string) {
	hierarchies := [...]string{"pids", "memory", "cpu", "name=systemd"}
	var paths [len(hierarchies)]string
	for line := range strings.Lines(file) {
		id, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, path, ok := strings.Cut(rest, ":")
		if !ok {
			continue
		}
		path = strings.TrimSuffix(path, " (deleted)") // a zombie's may be
		if id == "0" && controllers == "" {
			v2 = path
			continue
		}
		for name := range strings.SplitSeq(controllers, ",") {
			if i := slices.Index(hierarchies[:], name); i >= 0 {
				paths[i] = path
			}
		}
	}
	for _, path := range slices.Backward(paths[:]) {
		if path != "" && (path != "/" || v1 == "") {
			v1 = path
		}
	}
	return v2, v1
}

// Innermost returns the path of the two that says more about what runs in it,
// and what it says. On a host with both versions a runtime may put containers
// into the hierarchies of only one, and leaves them in its own cgroup in the
// other. A container says most, then a pod, a user's unit, a unit and a slice;
// the deeper path says more where both say as much, and v2 where they are as
// deep.
func Innermost(v2, v1 string) (path string, w Workload) {
	w = ParseCgroup(v2)
	if v1 == "" || v1 == v2 {
		return v2, w
	}
	other := ParseCgroup(v1)
	more := other.says() - w.says()
	if more > 0 || more == 0 && (v2 == "" || strings.Count(v1, "/") > strings.Count(v2, "/")) {
		return v1, other
	}
	return v2, w
}

func (w Workload) says() (much int) {
	for _, found := range []bool{
		w.ContainerID != "" || w.ContainerName != "",
		w.PodUID != "" || w.TaskID != "",
		w.UserUnit != "",
		w.Unit != "",
		w.Slice != "",
	} {
		much <<= 1
		if found {
			much++
		}
	}
	return much
}
