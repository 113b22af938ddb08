package jobs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// builtIn is the directory of the program, once there is one.
var builtIn string

// procspan builds the program once.
var procspan = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "procspan-jobs-")
	if err != nil {
		return "", err
	}
	builtIn = dir
	path := filepath.Join(dir, "procspan")
	c := exec.Command("go", "build", "-o", path, "github.com/procspan/procspan/cmd/procspan")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build procspan: %w\n%s", err, out)
	}
	return path, nil
})

// ahead is a command that runs another ahead of whatever else the machine has to
// do, where that is allowed: these tests are about when things happen.
var ahead = sync.OnceValue(func() []string {
	words := []string{"chrt", "--fifo", "10"}
	if exec.Command(words[0], append(words[1:], "true")...).Run() != nil {
		return nil
	}
	return words
})

// job is what procspan view -o json says of a job, as far as it is used here.
type job struct {
	Elapsed   time.Duration `json:"elapsed_ns"`
	Proved    time.Duration `json:"critical_path_proved_ns"`
	ExitCode  *int          `json:"exit_code"`
	Processes []one         `json:"processes"`
	Path      []segment     `json:"critical_path"`
	WhatIf    struct {
		Processes, Commands, Slots []gain
	} `json:"what_if"`
	Findings []struct{ Kind, Text string }
}

type one struct {
	PID        int
	Parent     *int
	Name       string
	Args       []string
	Start      time.Duration `json:"start_ns"`
	Duration   time.Duration `json:"duration_ns"`
	Join       string
	LeftBehind bool `json:"left_behind"`
}

type segment struct {
	Process  int
	PID      int
	Name     string
	Start    time.Duration `json:"start_ns"`
	Duration time.Duration `json:"duration_ns"`
	Proved   bool
	Next     string
}

type gain struct {
	Process *int
	Command string
	Slots   int
	Least   time.Duration `json:"least_ns"`
	About   time.Duration `json:"about_ns"`
	Most    time.Duration `json:"most_ns"`
}

// workplace is a directory with the files and the programs of a job. A program
// is called as by ./NAME SECONDS, and sleeps for that long, or is one of roles.
func workplace(t testing.TB, files map[string]string, programs ...string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range programs {
		target := sleep
		if _, ours := roles[strings.TrimRight(name, "0123456789")]; ours {
			target = self
		}
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// record runs a command in dir under procspan exec, and returns the report.
func record(t testing.TB, dir string, command ...string) (file string) {
	t.Helper()
	bin, err := procspan()
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.CreateTemp(t.TempDir(), "*.html")
	if err != nil {
		t.Fatal(err)
	}
	out.Close()
	words := slices.Concat(ahead(), []string{bin, "exec", "--report", out.Name(), "--"}, command)
	c := exec.Command(words[0], words[1:]...)
	c.Dir = dir
	if text, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", c, err, text)
	}
	return out.Name()
}

// view asks procspan what a report says.
func view(t testing.TB, file string) *job {
	t.Helper()
	bin, err := procspan()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	c := exec.Command(bin, "view", "-o", "json", file)
	c.Stderr = &stderr
	text, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", c, err, stderr.Bytes())
	}
	j := new(job)
	if err := json.Unmarshal(text, j); err != nil {
		t.Fatal(err)
	}
	return j
}

// run is a job that was run. Its path is a partition of its time, whatever it
// was.
func run(t testing.TB, dir string, command ...string) *job {
	t.Helper()
	j := view(t, record(t, dir, command...))
	at := time.Duration(0)
	for i, s := range j.Path {
		if s.Start != at || s.Duration <= 0 {
			t.Errorf("segment %d of the path, %+v, does not begin where the one before ends, at %d", i, s, at)
		}
		at += s.Duration
	}
	if at != j.Elapsed {
		t.Errorf("the segments of the path add up to %d ns, and the job took %d ns", at, j.Elapsed)
	}
	return j
}

// says is how long a piece of work says that it takes.
func (p *one) says() (time.Duration, bool) {
	if len(p.Args) != 2 || !strings.HasPrefix(p.Args[0], "./") {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(p.Args[1], 64)
	return time.Duration(seconds * float64(time.Second)), err == nil
}

// disturbed is by how much a work of the job took longer than it said, or how
// long a shell took to start a process when nothing was left that it may have
// waited for, at most.
func (j *job) disturbed() (most time.Duration) {
	for _, p := range j.Processes {
		if says, ok := p.says(); ok {
			most = max(most, p.Duration-says)
		}
		if p.Parent == nil || j.Processes[*p.Parent].Name != "job" {
			continue
		}
		since := j.Processes[*p.Parent].Start
		for _, before := range j.Processes {
			if before.Parent == nil || *before.Parent != *p.Parent || before.Start >= p.Start {
				continue
			}
			if end := before.Start + before.Duration; end <= p.Start {
				since = max(since, end)
			} else {
				since = max(since, before.Start)
			}
		}
		most = max(most, p.Start-since)
	}
	return most
}

// find returns the process with this name, or this name and argument, such as
// "cc a.c".
func (j *job) find(words string) int {
	return slices.IndexFunc(j.Processes, func(p one) bool {
		return p.Name == words || len(p.Args) > 1 && p.Name+" "+strings.Join(p.Args[1:], " ") == words
	})
}
