package enrich

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/procspan/procspan/process"
)

// Cgroup returns the paths of the process's cgroups: v2 in the unified hierarchy,
// v1 in the first hierarchy of pids, memory, cpu and systemd where the process is
// below the root. A path is empty without such a hierarchy, and "/" at the root.
//
// The ids in process.Cgroup mean the same two cgroups, unless V1 is a root: then
// v1 may be of a later hierarchy.
func (p Proc) Cgroup(id process.ID) (v2, v1 string, err error) {
	dir := p.dir(id.PID)
	file, _, readErr := readFile(filepath.Join(dir, "cgroup"), cgroupReadMax)
	if err := p.same(dir, id); err != nil {
		return "", "", err
	}
	if readErr != nil {
		return "", "", readErr
	}
	v2, v1 = cgroupPaths(string(file))
	return v2, v1, nil
}

// cgroupPaths parses lines of ID:CONTROLLERS:PATH. A path may contain colons; the
// kernel allows no newline.
func cgroupPaths(file string) (v2, v1 string) {
	hierarchies := [...]string{"pids", "memory", "cpu", "name=systemd"}
	var paths [len(hierarchies)]string
	for line := range strings.Lines(file) {
		id, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, path, ok := strings.Cut(rest, ":")
		if !ok {
			continue
		}
		path = strings.TrimSuffix(path, " (deleted)") // of a zombie
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

// Innermost returns the more specific of two paths, and its workload. On a host
// with both versions a runtime may create cgroups in the hierarchies of only one;
// in the other its containers stay in the runtime's own cgroup. A container is most
// specific, then a pod, a user's unit, a unit, a slice; then the deeper path; then
// v2.
func Innermost(v2, v1 string) (path string, w Workload) {
	w = ParseCgroup(v2)
	if v1 == "" || v1 == v2 {
		return v2, w
	}
	other := ParseCgroup(v1)
	more := other.rank() - w.rank()
	if more > 0 || more == 0 && (v2 == "" || strings.Count(v1, "/") > strings.Count(v2, "/")) {
		return v1, other
	}
	return v2, w
}

// rank orders workloads by how specific they are.
func (w Workload) rank() (rank int) {
	for _, found := range []bool{
		w.ContainerID != "" || w.ContainerName != "",
		w.PodUID != "" || w.TaskID != "",
		w.UserUnit != "",
		w.Unit != "",
		w.Slice != "",
	} {
		rank <<= 1
		if found {
			rank++
		}
	}
	return rank
}
