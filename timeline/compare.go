package timeline

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// ChangeKind is how a command differs between two runs.
type ChangeKind string

// The kinds of changes.
const (
	New    ChangeKind = "new"    // only the second run has it
	Gone   ChangeKind = "gone"   // only the first run has it
	Slower ChangeKind = "slower" // the same work takes longer
	Faster ChangeKind = "faster" // it takes less long
)

// Difference is one thing in which two runs differ.
type Difference struct {
	Kind ChangeKind
	// Text is what it is about: a program, or a command line under its parents.
	Text string
	// CountA and CountB are how many processes, A and B their time in all; with
	// several runs on a side, the medians.
	CountA, CountB int
	A, B           time.Duration
	// AtA and AtB are an example in the first run of each side; None where there
	// is none.
	AtA, AtB int
}

// Delta is by how much the second run's time is longer.
func (d Difference) Delta() time.Duration { return d.B - d.A }

// Comparison is what two sides of runs of the same job differ in.
type Comparison struct {
	// A and B are the elapsed times: with several runs on a side, the medians.
	A, B time.Duration
	// Noise is below what a difference of the elapsed time means nothing.
	Noise time.Duration
	// LessParallel says that the second side took longer, beyond the noise, although
	// its processes together worked no longer.
	LessParallel bool
	// Commands are the differences of the totals by program, Processes those of
	// single command lines, both with the largest first.
	Commands, Processes []Difference
}

// Slower returns by which share the second side is slower, beyond the noise; less
// than 0 where it is faster.
func (c *Comparison) Slower() float64 {
	d := c.B - c.A
	if d.Abs() <= c.Noise || c.A <= 0 {
		return 0
	}
	return float64(d) / float64(c.A)
}

const (
	noiseLeast = 50 * time.Millisecond
	noiseShare = 0.05
	// noiseSpread is how many times the spread of the runs on a side a difference
	// must exceed.
	noiseSpread = 2
	// maxDifferences bounds each list.
	maxDifferences = 100
)

// total is what a side has of one key, in one of its runs.
type total struct {
	count int
	sum   time.Duration
	at    int // an example
}

// Compare returns what the runs b differ in from the runs a. Each side has at
// least one; what the runs of one side differ in is noise.
func Compare(a, b []*Model) *Comparison {
	elapsed := func(runs []*Model) []time.Duration {
		var all []time.Duration
		for _, m := range runs {
			all = append(all, m.Elapsed)
		}
		slices.Sort(all)
		return all
	}
	ea, eb := elapsed(a), elapsed(b)
	c := &Comparison{A: median(ea), B: median(eb)}
	c.Noise = noise(ea, eb)
	work := func(runs []*Model) (sum time.Duration) {
		for _, m := range runs {
			for i := range m.Len() {
				sum += m.own(i)
			}
		}
		return sum / time.Duration(len(runs))
	}
	c.LessParallel = c.Slower() > 0 && float64(work(b)) < (1+noiseShare)*float64(work(a))
	c.Commands = differences(sums(a, programKeys), sums(b, programKeys), c.Noise)
	c.Processes = differences(sums(a, lineKeys), sums(b, lineKeys), c.Noise)
	return c
}

// side has, by key, what each run of a side has.
type side map[string][]total

func sums(runs []*Model, keys func(*Model) []string) side {
	s := make(side)
	for at, m := range runs {
		for i, key := range keys(m) {
			if s[key] == nil {
				s[key] = make([]total, len(runs))
				for j := range s[key] {
					s[key][j].at = None
				}
			}
			t := &s[key][at]
			t.count++
			t.sum += m.own(i)
			if t.at == None || m.own(i) > m.own(t.at) {
				t.at = i
			}
		}
	}
	return s
}

// own is how long a process lived without a joined child: what it is to blame
// for itself.
func (m *Model) own(i int) time.Duration {
	children := m.Children(i)
	if len(children) == 0 {
		return m.Duration(i)
	}
	covered, until := int64(0), m.Start[i]
	for _, c := range children { // by start
		if from, to := max(m.Start[c], until), min(m.End[c], m.End[i]); to > from {
			covered += to - from
			until = to
		}
	}
	return m.Duration(i) - time.Duration(covered)
}

func programKeys(m *Model) []string {
	keys := make([]string, m.Len())
	for i := range keys {
		keys[i] = m.Name(i)
	}
	return keys
}

// lineKeys aligns processes by program and arguments below their aligned
// parents: what differs between any two runs, such as temporary names, is
// replaced.
func lineKeys(m *Model) []string {
	keys := make([]string, m.Len())
	own := make(map[string]string)
	for i := range keys {
		line := m.Line(i, math.MaxInt32)
		norm, ok := own[line]
		if !ok {
			norm = Normalise(line)
			own[line] = norm
		}
		if p := m.Parent[i]; p != None {
			norm = m.Name(int(p)) + " › " + norm
		}
		keys[i] = norm
	}
	return keys
}

var (
	temporary = regexp.MustCompile(`(/(?:var/)?tmp|/dev/shm|\$TMPDIR)/[^\s:,'"]+`)
	hexadecim = regexp.MustCompile(`\b[0-9a-f]{7,}\b|\b[0-9A-F]{7,}\b`)
	pidLike   = regexp.MustCompile(`/proc/\d+|/dev/fd/\d+|\bfd=\d+`)
	jobserver = regexp.MustCompile(`--jobserver-(auth|fds)=\S+`)
)

// Normalise replaces what differs between two runs of one command line:
// temporary names, hashes, pids, descriptors.
func Normalise(line string) string {
	line = jobserver.ReplaceAllString(line, "--jobserver-$1=…")
	line = temporary.ReplaceAllString(line, "$1/…")
	line = pidLike.ReplaceAllString(line, "…")
	return hexadecim.ReplaceAllStringFunc(line, func(s string) string {
		if strings.ContainsAny(s, "0123456789") { // not a word such as "defaced"
			return "…"
		}
		return s
	})
}

// differences returns in what two sides differ beyond the noise, the largest
// first.
func differences(a, b side, total time.Duration) []Difference {
	var all []Difference
	for key, inA := range a {
		inB := b[key]
		d := Difference{Text: key, AtA: None, AtB: None}
		ta := sorted(inA)
		d.A, d.CountA, d.AtA = median(ta), medianCount(inA), inA[0].at
		if inB == nil {
			d.Kind = Gone
			all = keep(all, d, max(noiseLeast, total/2))
			continue
		}
		tb := sorted(inB)
		d.B, d.CountB, d.AtB = median(tb), medianCount(inB), inB[0].at
		if d.Kind = Slower; d.B < d.A {
			d.Kind = Faster
		}
		all = keep(all, d, noise(ta, tb))
	}
	for key, inB := range b {
		if a[key] == nil {
			all = keep(all, Difference{
				Kind: New, Text: key, B: median(sorted(inB)), CountB: medianCount(inB), AtA: None, AtB: inB[0].at,
			}, max(noiseLeast, total/2))
		}
	}
	sortBy(all, func(x, y *Difference) int {
		return cmp.Or(cmp.Compare(y.Delta().Abs(), x.Delta().Abs()), cmp.Compare(x.Text, y.Text))
	})
	return all[:min(maxDifferences, len(all))]
}

func keep(all []Difference, d Difference, noise time.Duration) []Difference {
	if d.Delta().Abs() <= noise {
		return all
	}
	return append(all, d)
}

// noise is what two sorted sides may differ by without meaning anything.
func noise(a, b []time.Duration) time.Duration {
	spread := time.Duration(0)
	for _, s := range [][]time.Duration{a, b} {
		if len(s) > 1 {
			spread = max(spread, s[len(s)-1]-s[0])
		}
	}
	return max(noiseLeast, time.Duration(noiseShare*float64(max(median(a), median(b)))), noiseSpread*spread)
}

func sorted(all []total) []time.Duration {
	d := make([]time.Duration, len(all))
	for i, t := range all {
		d[i] = t.sum
	}
	slices.Sort(d)
	return d
}

func median(sorted []time.Duration) time.Duration { return sorted[len(sorted)/2] }

func medianCount(all []total) int {
	n := make([]int, len(all))
	for i, t := range all {
		n[i] = t.count
	}
	slices.Sort(n)
	return n[len(n)/2]
}

// String is the difference in one line.
func (d Difference) String() string {
	switch d.Kind {
	case New:
		return fmt.Sprintf("new: %s, %s in all: %s", plural(d.CountB, "process", "processes"), round(d.B), d.Text)
	case Gone:
		return fmt.Sprintf("gone: %s, %s in all: %s", plural(d.CountA, "process", "processes"), round(d.A), d.Text)
	}
	sign := "+"
	if d.Delta() < 0 {
		sign = "−"
	}
	return fmt.Sprintf("%s: %s%s (%s → %s): %s", d.Kind, sign, round(d.Delta().Abs()), round(d.A), round(d.B), d.Text)
}
