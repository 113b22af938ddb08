package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// median returns the middle of the values, of an even number the mean of the
// two in the middle; 0 of none.
func median[T ~int64 | ~float64](values []T) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	high := sorted[len(sorted)/2]
	if len(sorted)%2 == 1 {
		return high
	}
	return (sorted[len(sorted)/2-1] + high) / 2
}

// spread is the median of some values and the ends of their range.
type spread struct{ median, min, max float64 }

func spreadOf(values []float64) spread {
	return spread{median(values), slices.Min(values), slices.Max(values)}
}

func (r round) ratio() float64     { return float64(r.With.Took) / float64(r.Without.Took) }
func (r round) cpuRatio() float64  { return float64(r.With.CPU) / float64(r.Without.CPU) }
func (r round) cpuMicros() float64 { return micros(r.CPU, r.Lifetimes) }

func (b buildRound) ratio() float64    { return float64(b.With.Took) / float64(b.Without.Took) }
func (b buildRound) cpuRatio() float64 { return float64(b.With.CPU) / float64(b.Without.CPU) }

func (b *build) each(f func(buildRound) float64) (values []float64) {
	for _, r := range b.Rounds {
		values = append(values, f(r))
	}
	return values
}

// micros returns µs for each of n.
func micros(ns int64, n int) float64 { return float64(ns) / 1e3 / float64(n) }

func (in inBPF) micros() (sum float64) {
	for _, p := range in.Programs {
		sum += micros(p.Time, in.Lifetimes)
	}
	return sum
}

// each returns something of each round.
func (c contest) each(f func(round) float64) []float64 {
	var values []float64
	for _, r := range c.Rounds {
		values = append(values, f(r))
	}
	return values
}

func (c contest) ratio() spread { return spreadOf(c.each(round.ratio)) }

// cpuRatio is of the CPU time that the storm itself took: what a tracer costs a
// machine with idle CPUs to run it on.
func (c contest) cpuRatio() spread { return spreadOf(c.each(round.cpuRatio)) }

func (c contest) cpu() spread { return spreadOf(c.each(round.cpuMicros)) }

func (c contest) receiverCPU() float64 {
	return median(c.each(func(r round) float64 { return micros(r.ReceiverCPU, r.Lifetimes) }))
}

func (c contest) rss() float64 {
	return median(c.each(func(r round) float64 { return float64(r.RSS) }))
}

// seen returns how many lifetimes there were in all rounds, and how many of
// them the contender delivered.
func (c contest) seen() (seen, of int) {
	for _, r := range c.Rounds {
		seen, of = seen+r.Seen, of+r.Lifetimes
	}
	return seen, of
}

// report is the tables, in Markdown.
func report(r *results) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d CPUs (%s), Linux %s, %s; procspan %s; %s, %s.\n",
		r.Machine.System, r.Machine.CPUs, r.Machine.Model, r.Machine.Kernel, r.Machine.Arch, r.Versions["procspan"],
		r.Begun.Format("2006-01-02"), time.Duration(r.Took).Round(time.Second))
	fmt.Fprintf(&b, "A storm of short processes: %d workers, %d lifetimes a round, medians of %d pairs of rounds (min–max).\n",
		workers, r.Plan.Lifetimes, r.Plan.Pairs)
	fmt.Fprintf(&b, "Without a tracer, a lifetime takes %.0f µs of CPU; other work took %.0f %% of the machine meanwhile.\n",
		r.bare(), r.others())
	if r.others() > busyPercent {
		b.WriteString("**That is so much that spawn and build times say little; CPU times do.**\n")
	}
	if r.Quick {
		b.WriteString("**Quick: too short to be quoted.**\n")
	}
	b.WriteString(`
| | spawn time, with / without | the storm's own CPU, with / without | its CPU, µs a lifetime | its BPF programs, µs a lifetime | receiver's CPU, µs a lifetime | RSS, MB | lifetimes seen | lost |
|---|---|---|---|---|---|---|---|---|
`)
	for _, c := range r.Contenders {
		if c.Absent != "" {
			fmt.Fprintf(&b, "| %s | left out: %s | | | | | | | |\n", c.Title, c.Absent)
			continue
		}
		ratio, own, cpu := c.ratio(), c.cpuRatio(), c.cpu()
		seen, of := c.seen()
		fmt.Fprintf(&b, "| %s | %.3f (%.3f–%.3f) | %.3f (%.3f–%.3f) | %.1f (%.1f–%.1f) | %.2f | %.1f | %.1f | %d of %d | %d |\n",
			c.Title, ratio.median, ratio.min, ratio.max, own.median, own.min, own.max, cpu.median, cpu.min, cpu.max, c.InBPF.micros(),
			c.receiverCPU(), c.rss()/1e6, seen, of, of-seen)
	}
	if r.Build != nil || r.Scale != nil {
		b.WriteString("\n| procspan | |\n|---|---|\n")
	}
	if r.Build != nil {
		ratio, own := spreadOf(r.Build.each(buildRound.ratio)), spreadOf(r.Build.each(buildRound.cpuRatio))
		fmt.Fprintf(&b, "| `make -j2` of %d C files, with / without, %d pairs | time %.3f (%.3f–%.3f), its own CPU %.3f (%.3f–%.3f) |\n",
			r.Plan.Compiles, len(r.Build.Rounds), ratio.median, ratio.min, ratio.max, own.median, own.min, own.max)
	}
	if s := r.Scale; s != nil {
		fmt.Fprintf(&b, "| RSS with %d processes alive (at most) | %.1f MB (%.1f) |\n", s.Living, float64(s.RSS)/1e6, float64(s.PeakRSS)/1e6)
		fmt.Fprintf(&b, "| CPU at rest, %.0f s with them asleep | %.3f %% of a core (%d other spans meanwhile) |\n",
			float64(s.Idle)/1e9, s.idlePercent(), s.IdleSpans)
		fmt.Fprintf(&b, "| from exec to \"observing\" with %d processes alive, median of %d (max) | %.0f ms (%.0f) |\n",
			s.Older, len(s.Ready), float64(median(s.Ready))/1e6, float64(slices.Max(s.Ready))/1e6)
	}
	b.WriteString("\n| BPF programs, ns a lifetime | |\n|---|---|\n")
	for _, c := range r.Contenders {
		if c.InBPF == nil {
			continue
		}
		var parts []string
		for _, p := range c.InBPF.Programs {
			parts = append(parts, fmt.Sprintf("%s %.0f (%.2f runs)", p.Name,
				1e3*micros(p.Time, c.InBPF.Lifetimes), float64(p.Runs)/float64(c.InBPF.Lifetimes)))
		}
		fmt.Fprintf(&b, "| %s | %s |\n", c.Title, strings.Join(parts, ", "))
	}
	if r.Ways != nil {
		b.WriteString(r.Ways.table())
	}
	return b.String()
}

// bare returns the µs of CPU of a lifetime that nobody traces.
func (r *results) bare() float64 {
	var each []float64
	for _, c := range r.Contenders {
		each = append(each, c.each(func(r round) float64 { return micros(r.Without.CPU, r.Lifetimes) })...)
	}
	return median(each)
}

// others returns what percentage of the machine others took in the rounds
// without a tracer.
func (r *results) others() float64 {
	var each []float64
	for _, c := range r.Contenders {
		each = append(each, c.each(func(round round) float64 {
			w := round.Without
			return 100 * max(0, float64(w.HostCPU-w.CPU)) / float64(w.Took) / float64(r.Machine.CPUs)
		})...)
	}
	return median(each)
}

// busyPercent is how much of the machine others may take before a report warns.
const busyPercent = 5

func (s *scale) idlePercent() float64 { return 100 * float64(s.IdleCPU) / float64(s.Idle) }

// metric is a number of a run that can be held against that of another run.
type metric struct {
	name  string
	value float64
}

// metrics returns what changes are shown of.
func (r *results) metrics() (all []metric) {
	for _, c := range r.Contenders {
		if len(c.Rounds) == 0 {
			continue
		}
		seen, of := c.seen()
		all = append(all,
			metric{c.Name + ": spawn time, with / without", c.ratio().median},
			metric{c.Name + ": the storm's own CPU, with / without", c.cpuRatio().median},
			metric{c.Name + ": CPU, µs a lifetime", c.cpu().median},
			metric{c.Name + ": RSS, MB", c.rss() / 1e6},
			metric{c.Name + ": lost, % of lifetimes", 100 * float64(of-seen) / float64(of)})
		if c.InBPF != nil {
			all = append(all, metric{c.Name + ": BPF programs, µs a lifetime", c.InBPF.micros()})
		}
	}
	if r.Build != nil {
		all = append(all,
			metric{"make -j2: time, with / without", median(r.Build.each(buildRound.ratio))},
			metric{"make -j2: its own CPU, with / without", median(r.Build.each(buildRound.cpuRatio))})
	}
	if r.Ways != nil {
		for _, w := range r.Ways.All {
			all = append(all, metric{w.String() + ": CPU, µs a lifetime", w.cpu().median}, metric{w.String() + ": bytes a lifetime", w.wire()})
		}
	}
	if s := r.Scale; s != nil {
		all = append(all,
			metric{fmt.Sprintf("RSS with %d alive, MB", s.Living), float64(s.RSS) / 1e6},
			metric{"CPU at rest, % of a core", s.idlePercent()},
			metric{fmt.Sprintf("start with %d alive, ms", s.Older), float64(median(s.Ready)) / 1e6})
	}
	return all
}

// changes is a table of what differs from an earlier run.
func changes(earlier, now *results) string {
	before := make(map[string]float64)
	for _, m := range earlier.metrics() {
		before[m.name] = m.value
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nAgainst procspan %s, %s, Linux %s, %d CPUs:\n", earlier.Versions["procspan"],
		earlier.Begun.Format("2006-01-02"), earlier.Machine.Kernel, earlier.Machine.CPUs)
	if earlier.Machine != now.Machine {
		b.WriteString("**That was another machine or kernel: only ratios compare.**\n")
	}
	if earlier.Plan != now.Plan {
		b.WriteString("**Not as many rounds, lifetimes or processes were measured then as now.**\n")
	}
	b.WriteString("\n| | then | now | change |\n|---|---|---|---|\n")
	for _, m := range now.metrics() {
		then, ok := before[m.name]
		switch {
		case !ok:
			fmt.Fprintf(&b, "| %s | – | %.3f | new |\n", m.name, m.value)
		case then == 0:
			fmt.Fprintf(&b, "| %s | 0 | %.3f | |\n", m.name, m.value)
		default:
			fmt.Fprintf(&b, "| %s | %.3f | %.3f | %+.1f %% |\n", m.name, then, m.value, 100*(m.value/then-1))
		}
	}
	return b.String()
}
