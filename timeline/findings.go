package timeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind is what a finding is about.
type Kind string

// The kinds of findings.
const (
	Serial     Kind = "serial"      // little ran at once
	Repeated   Kind = "repeated"    // the same command line ran again and again
	Short      Kind = "short"       // many processes lived for a few milliseconds
	WaitedCPU  Kind = "waited_cpu"  // processes waited for a CPU
	Tolerated  Kind = "tolerated"   // a process failed, and its parent did not
	LeftBehind Kind = "left_behind" // processes outlived the job
	Killed     Kind = "killed"      // a signal or the kernel ended processes
)

// Finding is one thing worth knowing about a job, in words.
type Finding struct {
	Kind Kind
	// Text is a sentence. Names in it are as they were recorded: whoever shows it
	// makes them harmless.
	Text string
	// AtMost is by how much the job could be shorter without it; 0 where that is
	// not known or nothing.
	AtMost time.Duration
	// Processes are some that it is about, the most telling first.
	Processes []int
}

// maxExamples bounds the processes of a finding.
const maxExamples = 10

// Findings returns what is worth knowing, those that could save the most first.
func (m *Model) Findings(path *Path) []Finding {
	var all []Finding
	all = append(all, m.serial(path)...)
	all = append(all, m.repeated(path)...)
	for _, one := range []func(*Path) (Finding, bool){m.short, m.waitedForCPU, m.tolerated, m.leftBehind, m.killed} {
		if f, ok := one(path); ok {
			all = append(all, f)
		}
	}
	sortBy(all, func(a, b *Finding) int { return cmp.Compare(b.AtMost, a.AtMost) })
	return all
}

const (
	// serialLeast and serialShare are how long a serial time lasts at least, and
	// as which share of the elapsed time; the shorter counts.
	serialLeast = 2 * time.Second
	serialShare = 0.05
	// parallelLeast is the share of the elapsed time in which several ran at once.
	parallelLeast = 0.1
	// serialMost bounds how many are told.
	serialMost = 3
	// worthwhile is the least time that is worth a person's attention.
	worthwhile = 50 * time.Millisecond
)

// serial finds the times in which one process at a time ran, though the job ran
// several at other times.
func (m *Model) serial(path *Path) []Finding {
	if m.Job.CPUs < 2 {
		return nil
	}
	parallel := int64(0) // time
	stretches := m.leafIntervals()
	least := max(min(serialLeast, time.Duration(serialShare*float64(m.Elapsed))), worthwhile)
	var windows []stretch
	for _, s := range stretches {
		if s.count >= 2 {
			parallel += s.to - s.from
		}
		if s.count > max(1, m.Job.CPUs/4) {
			continue
		}
		if n := len(windows); n > 0 && windows[n-1].to == s.from {
			windows[n-1].to = s.to
		} else {
			windows = append(windows, s)
		}
	}
	// That a script is serial is no news.
	if float64(parallel) < parallelLeast*float64(m.Elapsed) {
		return nil
	}
	windows = slices.DeleteFunc(windows, func(s stretch) bool { return time.Duration(s.to-s.from) < least })
	sortBy(windows, func(a, b *stretch) int { return cmp.Compare(b.to-b.from, a.to-a.from) })
	var all []Finding
	for _, s := range windows[:min(serialMost, len(windows))] {
		holder, held := path.most(s.from, s.to)
		if holder == None {
			continue
		}
		length := time.Duration(s.to - s.from)
		all = append(all, Finding{
			Kind: Serial,
			Text: fmt.Sprintf("%s at a time from %s to %s, %s of it %s",
				atMost(max(1, m.Job.CPUs/4)), round(time.Duration(s.from)), round(time.Duration(s.to)), round(held), m.label(holder)),
			AtMost:    time.Duration(float64(length) * (1 - 1/float64(m.Job.CPUs))),
			Processes: []int{holder},
		})
	}
	return all
}

func atMost(n int) string {
	if n == 1 {
		return "one"
	}
	return fmt.Sprintf("at most %d", n)
}

// most returns the process that holds the path the longest between two moments.
func (p *Path) most(from, to int64) (process int, held time.Duration) {
	sums := make(map[int]time.Duration)
	at, _ := slices.BinarySearchFunc(p.Segments, from, func(s Segment, t int64) int { return cmp.Compare(s.End, t+1) })
	process = None
	for _, s := range p.Segments[at:] {
		if s.Start >= to {
			break
		}
		sums[s.Process] += time.Duration(min(s.End, to) - max(s.Start, from))
		if sum := sums[s.Process]; sum > held || sum == held && s.Process < process {
			process, held = s.Process, sum
		}
	}
	return process, held
}

const (
	repeatedLeast = 10   // times
	repeatedShare = 0.01 // of the elapsed time
	repeatedMost  = 3    // findings
)

// repeated finds command lines that ran again and again in one directory.
func (m *Model) repeated(path *Path) []Finding {
	type key struct {
		args string
		dir  Text
	}
	type group struct {
		processes []int
		sum, held time.Duration
	}
	groups := make(map[key]*group)
	var b strings.Builder
	for i := range m.Len() {
		if len(m.Children(i)) > 0 {
			continue
		}
		b.Reset()
		for _, a := range m.argsOf(i) {
			fmt.Fprintf(&b, "%x ", a)
		}
		k := key{b.String(), m.Directory[i]}
		g := groups[k]
		if g == nil {
			g = &group{}
			groups[k] = g
		}
		g.processes = append(g.processes, i)
		g.sum += m.Duration(i)
		g.held += time.Duration(path.Held[i])
	}
	var all []Finding
	for _, g := range groups {
		if len(g.processes) < repeatedLeast || g.sum < worthwhile || float64(g.sum) < repeatedShare*float64(m.Elapsed) {
			continue
		}
		first := g.processes[0]
		all = append(all, Finding{
			Kind: Repeated,
			Text: fmt.Sprintf("ran %d times in one directory, %s in all: %s",
				len(g.processes), round(g.sum), m.label(first)),
			AtMost:    g.held * time.Duration(len(g.processes)-1) / time.Duration(len(g.processes)),
			Processes: g.processes[:min(maxExamples, len(g.processes))],
		})
	}
	sortBy(all, func(a, b *Finding) int {
		return cmp.Or(cmp.Compare(b.AtMost, a.AtMost), cmp.Compare(a.Processes[0], b.Processes[0]))
	})
	return all[:min(repeatedMost, len(all))]
}

const (
	shortLife  = 10 * time.Millisecond
	shortShare = 0.5
	shortLeast = 100 // processes
)

func (m *Model) short(path *Path) (Finding, bool) {
	count, held := 0, time.Duration(0)
	for i := range m.Len() {
		if m.Duration(i) < shortLife {
			count++
			held += time.Duration(path.Held[i])
		}
	}
	if count < shortLeast || float64(count) < shortShare*float64(m.Len()) {
		return Finding{}, false
	}
	return Finding{
		Kind:   Short,
		Text:   fmt.Sprintf("%d of %d processes lived less than 10ms; starting them is a part of their cost", count, m.Len()),
		AtMost: held,
	}, true
}

// waitedShare is the share of the path's time from which on waiting for a CPU is
// told.
const waitedShare = 0.05

func (m *Model) waitedForCPU(path *Path) (Finding, bool) {
	sum := time.Duration(0)
	worst, most := None, int64(0)
	for i, held := range path.Held {
		if held > 0 {
			part := int64(m.delayShare(i) * float64(held))
			sum += time.Duration(part)
			if part > most {
				worst, most = i, part
			}
		}
	}
	if worst == None || sum < worthwhile || float64(sum) < waitedShare*float64(m.Elapsed) {
		return Finding{}, false
	}
	help := "more CPUs or fewer jobs at once would help"
	if used := float64(m.TotalCPU()) / float64(m.Elapsed); used < float64(m.Job.CPUs)/2 {
		help = fmt.Sprintf("other programs had the CPUs, since the job used %.1f of %d", used, m.Job.CPUs)
	}
	return Finding{
		Kind:   WaitedCPU,
		Text:   fmt.Sprintf("the critical path waited %s for a CPU: %s", round(sum), help),
		AtMost: sum, Processes: []int{worst},
	}, true
}

func (m *Model) tolerated(*Path) (Finding, bool) {
	var failed []int
	for i := range m.Len() {
		if p := m.Parent[i]; p != None && m.Has(i, Failed) && !m.Has(int(p), Failed) && m.Status[p] == 0 {
			failed = append(failed, i)
		}
	}
	if len(failed) == 0 {
		return Finding{}, false
	}
	return Finding{
		Kind: Tolerated,
		Text: fmt.Sprintf("%s failed, and what started them succeeded; the first was %s (%s)",
			plural(len(failed), "process", "processes"), m.label(failed[0]), m.Outcome(failed[0])),
		Processes: failed[:min(maxExamples, len(failed))],
	}, true
}

func (m *Model) leftBehind(*Path) (Finding, bool) {
	var left []int
	for i := range m.Len() {
		if m.LeftBehind(i) {
			left = append(left, i)
		}
	}
	if len(left) == 0 {
		return Finding{}, false
	}
	return Finding{
		Kind:      LeftBehind,
		Text:      fmt.Sprintf("%s outlived the job, first of all %s", plural(len(left), "process", "processes"), m.label(left[0])),
		Processes: left[:min(maxExamples, len(left))],
	}, true
}

func (m *Model) killed(*Path) (Finding, bool) {
	var killed []int
	oom := 0
	for i := range m.Len() {
		if m.Has(i, OOMKilled) {
			oom++
		}
		if m.Status[i].Signal() != 0 && !m.Has(i, Expected) && !m.Has(i, EndEstimated) {
			killed = append(killed, i)
		}
	}
	if len(killed) == 0 {
		return Finding{}, false
	}
	text := fmt.Sprintf("%s ended by a signal; the first was %s (%s)",
		plural(len(killed), "process", "processes"), m.label(killed[0]), m.Outcome(killed[0]))
	if oom > 0 {
		text += fmt.Sprintf("; the kernel killed %d for want of memory", oom)
	}
	return Finding{Kind: Killed, Text: text, Processes: killed[:min(maxExamples, len(killed))]}, true
}
