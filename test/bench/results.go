package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// schema is the version of results.json. It grows when a field changes its
// meaning or goes; fields that are added do not count.
const schema = 1

// results is results.json: every raw number, in ns and bytes unless the name
// says otherwise. Medians and ratios follow from them (see summary), so that
// later programs can ask other questions.
type results struct {
	Schema  int       `json:"schema"`
	Begun   time.Time `json:"begun"`
	Took    int64     `json:"took_ns"`
	Quick   bool      `json:"quick"` // not to be quoted
	Machine machine   `json:"machine"`
	// Versions are those of procspan and of the packages of the others.
	Versions   map[string]string `json:"versions"`
	Plan       plan              `json:"plan"`
	Contenders []contest         `json:"contenders"`
	Build      *build            `json:"build,omitempty"`
	Scale      *scale            `json:"scale,omitempty"`
	Ways       *ways             `json:"ways,omitempty"`
}

type machine struct {
	Kernel string `json:"kernel"`
	System string `json:"system"`
	Arch   string `json:"arch"`
	CPUs   int    `json:"cpus"`
	Model  string `json:"cpu_model"`
	Memory int64  `json:"memory_bytes"`
}

// contest is all that was measured of one contender.
type contest struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	// Absent says why there is nothing of it.
	Absent string  `json:"absent,omitempty"`
	Rounds []round `json:"rounds,omitempty"`
	InBPF  *inBPF  `json:"bpf,omitempty"`
	Ready  []int64 `json:"ready_ns,omitempty"` // from its exec until it observes, at the start of each round
}

// round is a storm without any tracer and the storm with it that came next.
type round struct {
	Without load `json:"without"`
	With    load `json:"with"`
	// CPU is user and system time of the tracer's processes, from before the
	// storm until it had delivered everything.
	CPU         int64  `json:"cpu_ns"`
	ReceiverCPU int64  `json:"receiver_cpu_ns"`
	RSS         int64  `json:"rss_bytes"` // after the storm
	PeakRSS     int64  `json:"peak_rss_bytes"`
	Lifetimes   int    `json:"lifetimes"`
	Seen        int    `json:"seen"` // of the lifetimes
	Received    counts `json:"received"`
}

// inBPF is a round in which the kernel measured the run time of programs.
type inBPF struct {
	Lifetimes int          `json:"lifetimes"`
	Programs  []programRun `json:"programs"`
}

// build is make -j2 of a C project, without and with procspan.
type build struct {
	Rounds []buildRound `json:"rounds"`
}

type buildRound struct {
	Without load `json:"without"`
	With    load `json:"with"`
	Spans   int  `json:"spans"` // all of them; those of others on the host too
}

// scale is procspan with many processes, and with nothing to do.
type scale struct {
	Living  int   `json:"living"` // started while procspan observed
	RSS     int64 `json:"rss_bytes"`
	PeakRSS int64 `json:"peak_rss_bytes"`
	// IdleCPU is used in Idle, with the living asleep; IdleSpans is what went
	// on all the same.
	Idle      int64 `json:"idle_ns"`
	IdleCPU   int64 `json:"idle_cpu_ns"`
	IdleSpans int   `json:"idle_spans"`
	// Ready is from procspan's exec until it observes, with Older asleep.
	Older int     `json:"older"`
	Ready []int64 `json:"ready_ns"`
}

func thisMachine() (machine, error) {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return machine{}, fmt.Errorf("read the kernel's version: %w", err)
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return machine{}, fmt.Errorf("read the size of the memory: %w", err)
	}
	return machine{
		Kernel: unix.ByteSliceToString(uts.Release[:]),
		System: valueOf("/etc/os-release", "PRETTY_NAME", "="),
		Arch:   runtime.GOARCH,
		CPUs:   runtime.NumCPU(),
		Model:  valueOf("/proc/cpuinfo", "model name", ":"),
		Memory: int64(info.Totalram) * int64(info.Unit),
	}, nil
}

// valueOf returns the first value of a key in a file of lines, or "".
func valueOf(file, key, separator string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if k, v, ok := strings.Cut(lines.Text(), separator); ok && strings.TrimSpace(k) == key {
			return strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return ""
}

// versions asks procspan and, where there is one, the package database.
func versions(ctx context.Context, procspan string) map[string]string {
	found := map[string]string{"go": runtime.Version()}
	if out, err := exec.CommandContext(ctx, procspan, "version").Output(); err == nil {
		found["procspan"] = strings.TrimPrefix(firstLine(out), "procspan ")
	}
	for _, name := range []string{"bpftrace", "libbpf-tools", "gcc", "make"} {
		if out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${Version}\n", name).Output(); err == nil {
			found[name] = firstLine(out)
		}
	}
	return found
}

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
}

// readResults reads an earlier results.json. None, or an empty one, is nil.
func readResults(file string) (*results, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(data) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the earlier results: %w", err)
	}
	r := &results{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("read the earlier results in %s: %w", file, err)
	}
	if r.Schema != schema {
		return nil, fmt.Errorf("read the earlier results: %s has schema %d, this bench writes %d", file, r.Schema, schema)
	}
	return r, nil
}

// write puts results.json and results.svg into dir, for whom dir belongs to:
// the bench runs as root in somebody's checkout.
func (r *results) write(dir string) error {
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	for name, text := range map[string][]byte{"results.json": append(data, '\n'), "results.svg": []byte(plot(r))} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return fmt.Errorf("write the results: %w", err)
		}
		if err := os.Chown(file, int(owner.Uid), int(owner.Gid)); err != nil {
			return fmt.Errorf("write the results: %w", err)
		}
	}
	return nil
}

// The table's place in docs/cost.md.
const (
	markBegin = "<!-- bench -->\n"
	markEnd   = "<!-- /bench -->\n"
)

// writePage puts the table into a file that has a place for it.
func writePage(file, table string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	before, rest, begun := strings.Cut(string(text), markBegin)
	_, after, ended := strings.Cut(rest, markEnd)
	if !begun || !ended {
		return fmt.Errorf("write the table: %s has no %s and %s", file, strings.TrimSpace(markBegin), strings.TrimSpace(markEnd))
	}
	// The file stays that of whom it belongs to.
	return os.WriteFile(file, []byte(before+markBegin+table+markEnd+after), 0o644)
}
