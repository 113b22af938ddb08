package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/procspan/procspan/console"
	"github.com/procspan/procspan/timeline"
)

// pageView is what the page shows, in words.
type pageView struct {
	Title, Command, Proved, Floor, Footer string
	Elapsed                               string
	Facts                                 []fact
	Notes                                 []string
	Findings                              []findingView
	Load                                  timeline.Load
	CPUs                                  int
	Where                                 []whereView
	Holders                               []holderView
	Commands                              []commandView
	Slots                                 []slotView
	Failures                              []failureView
	FailuresMore                          int
}

type fact struct {
	Text string
	Bad  bool
}

type findingView struct{ Text, AtMost string }

type whereView struct {
	Name, Held, Share, Gain string
	Width                   int // of its bar, in pixels
}

type holderView struct{ Held, Share, Gain, Line string }

type commandView struct{ Name, Count, Failed, Path, CPU, Sum, P50, P95, Max, RSS, Gain string }

type slotView struct {
	Slots        int
	About, Range string
}

type failureView struct{ At, Outcome, Line, Parent string }

// How much of each list a report shows.
const (
	maxWhere    = 5
	maxHolders  = 20
	maxCommands = 20
	maxFailures = 50
	maxLine     = 300 // bytes of a command line
)

func newPageView(a *timeline.Analysis) *pageView {
	v := &pageView{
		Command: title(a), Load: a.Load(stripSlices), CPUs: a.Job.CPUs, Facts: facts(a), Notes: notes(a),
		Proved: percent(a.Path.Proved, a.Elapsed), Floor: console.Duration(a.Floor), Footer: footer(a),
		Elapsed: console.Duration(a.Elapsed), Where: where(a),
	}
	v.Title = v.Command + " · procspan"
	for _, f := range a.Findings {
		v.Findings = append(v.Findings, findingView{console.Printable(f.Text), positive(f.AtMost)})
	}
	for _, h := range a.Holders[:min(maxHolders, len(a.Holders))] {
		v.Holders = append(v.Holders, holderView{
			console.Duration(h.Held), percent(h.Held, a.Elapsed), gainText(h.Gain), line(a, h.Process),
		})
	}
	for i, c := range a.Commands[:min(maxCommands, len(a.Commands))] {
		row := commandView{
			Name: console.Printable(a.Text(c.Program)), Count: fmt.Sprint(c.Count), Failed: number(c.Failed), Path: positive(c.Path),
			CPU: console.Duration(c.CPU), Sum: console.Duration(c.Sum), P50: console.Duration(c.P50), P95: console.Duration(c.P95),
			Max: console.Duration(c.Max), RSS: size(c.PeakRSS),
		}
		if i < len(a.Gains) {
			row.Gain = gainText(a.Gains[i])
		}
		v.Commands = append(v.Commands, row)
	}
	for _, s := range a.Slots {
		v.Slots = append(v.Slots, slotView{
			s.Slots, console.Duration(a.Elapsed - s.Gain.About),
			console.Duration(a.Elapsed-s.Gain.Most) + " and " + console.Duration(a.Elapsed-s.Gain.Least),
		})
	}
	all := failures(a.Model)
	for _, i := range all[:min(maxFailures, len(all))] {
		f := failureView{At: console.Duration(time.Duration(a.End[i])), Outcome: a.Outcome(i), Line: line(a, i)}
		if p := a.Parent[i]; p != timeline.None {
			f.Parent = line(a, int(p))
		}
		v.Failures = append(v.Failures, f)
	}
	v.FailuresMore = max(len(all)-maxFailures, 0)
	return v
}

// where returns the commands that hold the path, and their bars.
func where(a *timeline.Analysis) []whereView {
	const width = 160
	var all []whereView
	add := func(name string, held time.Duration, gain string) {
		all = append(all, whereView{name, console.Duration(held), percent(held, a.Elapsed), gain, int(width * held / max(a.Elapsed, 1))})
	}
	others, rest := 0, time.Duration(0)
	for i, c := range a.Commands {
		switch {
		case c.Path <= 0:
		case i >= maxWhere:
			others, rest = others+1, rest+c.Path
		default:
			name, gain := console.Printable(a.Text(c.Program)), ""
			if c.Count > 1 {
				name += fmt.Sprintf(" × %d", c.Count)
			}
			if i < len(a.Gains) {
				gain = gainText(a.Gains[i])
			}
			add(name, c.Path, gain)
		}
	}
	if others > 0 {
		add(counted(others, "other command", "other commands"), rest, "")
	}
	return all
}

// title is the command line of the job.
func title(a *timeline.Analysis) string {
	if a.Root == timeline.None {
		return "processes of " + cmp.Or(console.Printable(a.Job.Host), "a host")
	}
	return line(a, a.Root)
}

func line(a *timeline.Analysis, i int) string { return console.Printable(a.Line(i, maxLine)) }

// facts are the first things to know.
func facts(a *timeline.Analysis) []fact {
	all := []fact{}
	if a.Root != timeline.None {
		if end := a.Outcome(a.Root); end != "" {
			all = append(all, fact{end, a.Has(a.Root, timeline.Failed)})
		} else {
			all = append(all, fact{"exit 0", false})
		}
	}
	all = append(all, fact{"took " + console.Duration(a.Elapsed), false})
	cpu := a.TotalCPU()
	busy := "CPU time " + console.Duration(cpu)
	if a.Elapsed > 0 {
		busy += fmt.Sprintf(" (%.2f", float64(cpu)/float64(a.Elapsed))
		if a.Job.CPUs > 0 {
			busy += fmt.Sprintf(" of %d", a.Job.CPUs)
		}
		busy += " CPUs)"
	}
	all = append(all, fact{busy, false}, fact{counted(a.Len(), "process", "processes"), false})
	if n := a.Count(timeline.Failed); n > 0 {
		all = append(all, fact{fmt.Sprintf("%d failed", n), true})
	}
	return all
}

// notes say what a reader must know about the data.
func notes(a *timeline.Analysis) []string {
	var all []string
	for _, reason := range slices.Sorted(maps.Keys(a.Job.Missing)) {
		if n := a.Job.Missing[reason]; n > 0 {
			all = append(all, fmt.Sprintf("%s missing: %s", counted(int(n), "process is", "processes are"), console.Printable(reason)))
		}
	}
	left := 0
	for _, n := range a.Filtered {
		left += n
	}
	if left > 0 {
		all = append(all, counted(left, "process was", "processes were")+" left out, by a rule or filter.min_duration")
	}
	if n := a.Count(timeline.StartEstimated); n > 0 {
		all = append(all, "the start of "+counted(n, "process", "processes")+" is estimated")
	}
	if n := a.Count(timeline.EndEstimated); n > 0 {
		all = append(all, "the end of "+counted(n, "process", "processes")+" is estimated")
	}
	return all
}

func footer(a *timeline.Analysis) string {
	parts := []string{"Made by procspan " + console.Printable(a.Job.Version)}
	if a.Job.Host != "" {
		parts = append(parts, "on "+console.Printable(a.Job.Host))
	}
	if !a.Job.Begin.IsZero() {
		parts = append(parts, a.Job.Begin.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	text := strings.Join(parts, ", ") + "."
	switch a.Job.ArgsPolicy {
	case "redacted":
		text += " Arguments were searched for secrets, which are replaced by <redacted>; no search finds all."
	case "off":
		text += " Arguments were not recorded."
	case "full":
		text += " Arguments are as they were: this file may hold secrets."
	}
	return text
}

// failures are the failed processes, by their ends.
func failures(m *timeline.Model) []int {
	var all []int
	for i := range m.Len() {
		if m.Has(i, timeline.Failed) {
			all = append(all, i)
		}
	}
	slices.SortStableFunc(all, func(x, y int) int { return cmp.Compare(m.End[x], m.End[y]) })
	return all
}

// gainText is a gain in words: "about −2.1s (1.9s to 3s)".
func gainText(g timeline.Gain) string {
	if g.Most <= 0 {
		return "–"
	}
	if g.Least <= 0 {
		return fmt.Sprintf("about −%s, at most −%s", console.Duration(max(g.About, 0)), console.Duration(g.Most))
	}
	return fmt.Sprintf("about −%s (%s to %s)", console.Duration(g.About), console.Duration(g.Least), console.Duration(g.Most))
}

func positive(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return console.Duration(d)
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func percent(part, whole time.Duration) string {
	if whole <= 0 {
		return "0 %"
	}
	switch p := 100 * float64(part) / float64(whole); {
	case p > 0 && p < 0.1:
		return "< 0.1 %"
	case p < 100 && p >= 99.5:
		return "> 99 %"
	case p < 9.95:
		return fmt.Sprintf("%.1f %%", p)
	default:
		return fmt.Sprintf("%.0f %%", p)
	}
}

// size is a number of bytes in words.
func size(bytes uint64) string {
	switch {
	case bytes == 0:
		return ""
	case bytes >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}
