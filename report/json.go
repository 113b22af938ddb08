package report

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/procspan/procspan/timeline"
)

// JSON is the form of a job for scripts. Names and meaning stay; members may be
// added. Times are in nanoseconds since the start of the job.
type JSON struct {
	Command      string            `json:"command"`
	Begin        *time.Time        `json:"begin,omitempty"`
	Host         string            `json:"host,omitempty"`
	Elapsed      int64             `json:"elapsed_ns"`
	CPUs         int               `json:"cpus,omitempty"`
	CPUTime      int64             `json:"cpu_time_ns"`
	ExitCode     *int              `json:"exit_code,omitempty"` // of the root process
	Failed       int               `json:"failed"`
	Missing      map[string]uint64 `json:"missing,omitempty"`
	Proved       int64             `json:"critical_path_proved_ns"`
	Processes    []JSONProcess     `json:"processes"`
	CriticalPath []JSONSegment     `json:"critical_path"` // adds up to elapsed_ns
	ByCommand    []JSONCommand     `json:"by_command"`
	WhatIf       JSONWhatIf        `json:"what_if"`
	Findings     []JSONFinding     `json:"findings"`
}

// JSONProcess is one process.
type JSONProcess struct {
	PID        uint32   `json:"pid"`
	Parent     *int     `json:"parent,omitempty"` // index in processes
	Name       string   `json:"name"`
	Args       []string `json:"args"`
	Directory  string   `json:"directory,omitempty"`
	Container  string   `json:"container,omitempty"`
	Start      int64    `json:"start_ns"`
	Duration   int64    `json:"duration_ns"`
	User       int64    `json:"cpu_user_ns"`
	System     int64    `json:"cpu_system_ns"`
	CPUWait    *int64   `json:"cpu_wait_ns,omitempty"`
	PeakRSS    uint64   `json:"peak_rss_bytes,omitempty"`
	ExitCode   *int     `json:"exit_code,omitempty"`
	Signal     string   `json:"signal,omitempty"`
	Failed     bool     `json:"failed,omitempty"`
	OOMKilled  bool     `json:"oom_killed,omitempty"`
	Join       string   `json:"join"` // proved, inferred or background
	LeftBehind bool     `json:"left_behind,omitempty"`
}

// JSONSegment is a part of the critical path.
type JSONSegment struct {
	Process  int    `json:"process"` // index in processes
	PID      uint32 `json:"pid"`
	Name     string `json:"name"`
	Start    int64  `json:"start_ns"`
	Duration int64  `json:"duration_ns"`
	Proved   bool   `json:"proved"`
	Next     string `json:"next"` // own, join, slot or pipe
}

// JSONCommand is all processes of a program.
type JSONCommand struct {
	Name    string `json:"name"`
	Count   int    `json:"count"`
	Failed  int    `json:"failed"`
	Sum     int64  `json:"sum_ns"`
	P50     int64  `json:"p50_ns"`
	P95     int64  `json:"p95_ns"`
	Max     int64  `json:"max_ns"`
	CPU     int64  `json:"cpu_ns"`
	Path    int64  `json:"critical_path_ns"`
	PeakRSS uint64 `json:"peak_rss_bytes"`
}

// JSONWhatIf are the answers to what-if questions.
type JSONWhatIf struct {
	Processes []JSONGain `json:"processes"` // each taking no time
	Commands  []JSONGain `json:"commands"`  // each with a fifth less work
	Slots     []JSONGain `json:"slots"`
	Floor     int64      `json:"floor_ns"`
}

// JSONGain is by how much the job would be shorter.
type JSONGain struct {
	Process *int   `json:"process,omitempty"`
	Command string `json:"command,omitempty"`
	Slots   int    `json:"slots,omitempty"`
	Least   int64  `json:"least_ns"`
	About   int64  `json:"about_ns"`
	Most    int64  `json:"most_ns"`
}

// JSONFinding is a finding.
type JSONFinding struct {
	Kind      string `json:"kind"`
	Text      string `json:"text"`
	AtMost    int64  `json:"at_most_ns,omitempty"`
	Processes []int  `json:"processes,omitempty"`
}

// WriteJSON writes the whole analysis as one JSON object.
func WriteJSON(w io.Writer, a *timeline.Analysis) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	if err := e.Encode(asJSON(a)); err != nil {
		return fmt.Errorf("write the job as JSON: %w", err)
	}
	return nil
}

func asJSON(a *timeline.Analysis) *JSON {
	j := &JSON{
		Command: title(a), Host: a.Job.Host, Elapsed: int64(a.Elapsed), CPUs: a.Job.CPUs, CPUTime: int64(a.TotalCPU()),
		Failed: a.Count(timeline.Failed), Missing: a.Job.Missing, Proved: int64(a.Path.Proved),
		Processes: make([]JSONProcess, a.Len()), CriticalPath: make([]JSONSegment, len(a.Path.Segments)),
		ByCommand: []JSONCommand{}, Findings: []JSONFinding{},
	}
	if !a.Job.Begin.IsZero() {
		j.Begin = &a.Job.Begin
	}
	if a.Root != timeline.None {
		j.ExitCode = exitCode(a, a.Root)
	}
	for i := range j.Processes {
		j.Processes[i] = jsonProcess(a, i)
	}
	for i, s := range a.Path.Segments {
		j.CriticalPath[i] = JSONSegment{
			s.Process, a.PID[s.Process], valid(a.Name(s.Process)), s.Start, s.End - s.Start, s.Proved, s.Next.String(),
		}
	}
	for _, c := range a.Commands {
		j.ByCommand = append(j.ByCommand, JSONCommand{
			valid(a.Text(c.Program)), c.Count, c.Failed, int64(c.Sum), int64(c.P50), int64(c.P95), int64(c.Max), int64(c.CPU), int64(c.Path), c.PeakRSS,
		})
	}
	for _, f := range a.Findings {
		j.Findings = append(j.Findings, JSONFinding{string(f.Kind), valid(f.Text), int64(f.AtMost), f.Processes})
	}
	j.WhatIf = jsonWhatIf(a)
	return j
}

func jsonWhatIf(a *timeline.Analysis) JSONWhatIf {
	gain := func(g timeline.Gain) JSONGain {
		return JSONGain{Least: int64(g.Least), About: int64(g.About), Most: int64(g.Most)}
	}
	w := JSONWhatIf{Processes: []JSONGain{}, Commands: []JSONGain{}, Slots: []JSONGain{}, Floor: int64(a.Floor)}
	for _, h := range a.Holders {
		g := gain(h.Gain)
		g.Process = &h.Process
		w.Processes = append(w.Processes, g)
	}
	for i, c := range a.Gains {
		g := gain(c)
		g.Command = valid(a.Text(a.Commands[i].Program))
		w.Commands = append(w.Commands, g)
	}
	for _, s := range a.Slots {
		g := gain(s.Gain)
		g.Slots = s.Slots
		w.Slots = append(w.Slots, g)
	}
	return w
}

func jsonProcess(a *timeline.Analysis, i int) JSONProcess {
	p := JSONProcess{
		PID: a.PID[i], Name: valid(a.Name(i)), Args: []string{}, Directory: valid(a.Text(a.Directory[i])), Container: valid(a.Text(a.Container[i])),
		Start: a.Start[i], Duration: a.End[i] - a.Start[i], User: a.User[i], System: a.System[i], PeakRSS: a.PeakRSS[i],
		ExitCode: exitCode(a, i), Signal: a.Status[i].SignalName(), Failed: a.Has(i, timeline.Failed), OOMKilled: a.Has(i, timeline.OOMKilled),
		Join: a.Join(i).String(), LeftBehind: a.LeftBehind(i),
	}
	if at := a.Parent[i]; at != timeline.None {
		parent := int(at)
		p.Parent = &parent
	}
	for arg := range a.Args(i) {
		p.Args = append(p.Args, valid(arg))
	}
	if a.Has(i, timeline.DelayKnown) {
		p.CPUWait = &a.RunDelay[i]
	}
	return p
}

// exitCode is nil where the end was not seen.
func exitCode(a *timeline.Analysis, i int) *int {
	if a.Has(i, timeline.EndEstimated) {
		return nil
	}
	code := a.ExitCode(i)
	return &code
}
