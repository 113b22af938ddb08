package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
)

// programRun is what one BPF program did in a round.
type programRun struct {
	Name string `json:"name"`
	Runs int64  `json:"runs"`
	Time int64  `json:"run_time_ns"`
}

// programs returns what each BPF program of the tracer has done since the
// kernel measures, by program id.
func (t *tracer) programs() (map[ebpf.ProgramID]programRun, error) {
	found := make(map[ebpf.ProgramID]programRun)
	for _, p := range t.processes {
		ids, err := programIDs(p.Process.Pid)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			if found[id], err = runOf(id); err != nil {
				return nil, err
			}
		}
	}
	if len(found) == 0 {
		return nil, errors.New("find the tracer's BPF programs: it holds none")
	}
	return found, nil
}

// programIDs returns the BPF programs that a process holds, by themselves or
// by what attaches them.
func programIDs(pid int) (ids []ebpf.ProgramID, err error) {
	dir := fmt.Sprintf("/proc/%d/fdinfo", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("find a tracer's BPF programs: %w", err)
	}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		if id, ok := programID(string(data)); ok && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// programID finds the id in a file of /proc/PID/fdinfo.
func programID(fdinfo string) (ebpf.ProgramID, bool) {
	lines := bufio.NewScanner(strings.NewReader(fdinfo))
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "prog_id:"); ok {
			id, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32)
			return ebpf.ProgramID(id), err == nil && id != 0
		}
	}
	return 0, false
}

func runOf(id ebpf.ProgramID) (programRun, error) {
	program, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return programRun{}, fmt.Errorf("open BPF program %d: %w", id, err)
	}
	defer program.Close()
	info, err := program.Info()
	if err != nil {
		return programRun{}, fmt.Errorf("read about BPF program %d: %w", id, err)
	}
	stats, err := program.Stats()
	if err != nil {
		return programRun{}, fmt.Errorf("read the run time of BPF program %d: %w", id, err)
	}
	return programRun{Name: info.Name, Runs: int64(stats.RunCount), Time: int64(stats.Runtime)}, nil
}

// since returns what programs did between two looks, those that ran at all, the
// busiest first.
func since(before, after map[ebpf.ProgramID]programRun) (runs []programRun) {
	for id, a := range after {
		b := before[id]
		a.Runs, a.Time = a.Runs-b.Runs, a.Time-b.Time
		if a.Runs > 0 {
			runs = append(runs, a)
		}
	}
	slices.SortFunc(runs, func(a, b programRun) int {
		if a.Time != b.Time {
			return int(b.Time - a.Time)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return runs
}
