package jobs

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var everything = flag.Bool("all", false, "make every change of TestWhatIf, not only those that CI has time for")

const (
	// estimateOff is how far an estimate may be from the truth, as a share of the
	// elapsed time.
	estimateOff = 0.05
	// quiet is which share of a run's time may go to more than its works say. A run
	// with more is repeated, up to mostRuns times.
	quiet    = 0.05
	mostRuns = 5
)

// TestWhatIf really makes the changes that procspan answers about, and holds its
// ranges and estimates against what they brought.
func TestWhatIf(t *testing.T) {
	needRoot(t)
	asked, near := 0, 0
	for _, w := range whatIfJobs {
		if !*everything && !w.brief {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			need(t, w.command[0])
			a, n := w.check(t)
			asked, near = asked+a, near+n
		})
	}
	t.Logf("%d of %d estimates are within %.0f %% of the elapsed time", near, asked, 100*estimateOff)
	if 10*near < 9*asked {
		t.Errorf("%d of %d estimates are near the truth, want nine of ten", near, asked)
	}
}

// check makes the changes of a job, and returns how many there were and for how
// many of them the estimate was near.
func (w *whatIfJob) check(t *testing.T) (asked, near int) {
	base := w.run(t, w.vars)
	ms := func(d time.Duration) float64 { return float64(d) / 1e6 }
	for _, change := range w.changes {
		changed := w.run(t, w.changed(t, change))
		g, ok := w.ask(base, change)
		if !ok {
			// In a run that was disturbed, another process may hold the path.
			if base.quiet() {
				t.Errorf("procspan has no answer about %q", change)
			}
			continue
		}
		truth := base.Elapsed - changed.Elapsed
		// What the two runs took beyond their works is not of the change.
		noise := (base.beyond() - changed.beyond()).Abs() + base.Elapsed/100
		off := float64((g.About - truth).Abs()) / float64(base.Elapsed)
		verdict := "near"
		switch {
		case off <= estimateOff:
			near++
			asked++
		case off <= estimateOff+float64(noise)/float64(base.Elapsed):
			verdict = "cannot be judged"
		default:
			verdict = "OFF"
			asked++
		}
		if truth < g.Least-noise || truth > g.Most+noise {
			t.Errorf("%s: the range from %v to %v does not contain what it brought: %v (%v → %v, noise %v)",
				change, g.Least, g.Most, truth, base.Elapsed, changed.Elapsed, noise)
		}
		t.Logf("%-14s %4.0f → %4.0f ms: %4.0f, said %4.0f to %4.0f, about %4.0f: off by %.1f %%, noise %.1f ms: %s",
			change, ms(base.Elapsed), ms(changed.Elapsed), ms(truth), ms(g.Least), ms(g.Most), ms(g.About), 100*off, ms(noise), verdict)
	}
	if t.Failed() {
		base.print(t)
	}
	return asked, near
}

// run runs the job until a run is quiet, and returns the most quiet one.
func (w *whatIfJob) run(t *testing.T, vars map[string]string) (best *job) {
	var pairs []string
	for name, value := range vars {
		pairs = append(pairs, "@"+name+"@", value)
	}
	r := strings.NewReplacer(pairs...)
	files := make(map[string]string)
	for name, text := range w.files {
		files[name] = r.Replace(text)
	}
	var command []string
	for _, word := range w.command {
		command = append(command, r.Replace(word))
	}
	for range mostRuns {
		j := run(t, workplace(t, files, strings.Fields(w.programs)...), command...)
		if best == nil || j.beyond() < best.beyond() {
			best = j
		}
		if best.quiet() {
			break
		}
	}
	return best
}

func (j *job) quiet() bool { return float64(j.beyond()) < quiet*float64(j.Elapsed) }

// beyond is what a job took beyond what the works on its path say: what it costs
// to start processes, and what else the machine had to do.
func (j *job) beyond() time.Duration {
	held := make(map[int]time.Duration)
	for _, s := range j.Path {
		held[s.Process] += s.Duration
	}
	rest := j.Elapsed
	for i, on := range held {
		if says, ok := j.Processes[i].says(); ok {
			rest -= min(on, says)
		}
	}
	return rest
}

// changed returns the variables of a job with a change: "process cc1" takes no
// time, "command cc" does a fifth less work, "slots 4" are as many jobs at once.
func (w *whatIfJob) changed(t *testing.T, change string) map[string]string {
	vars := maps.Clone(w.vars)
	kind, what, _ := strings.Cut(change, " ")
	scale := func(name string, by float64) {
		v, err := strconv.ParseFloat(vars[name], 64)
		if err != nil {
			t.Fatal(err)
		}
		vars[name] = fmt.Sprintf("%.4f", v*by)
	}
	switch kind {
	case "process":
		scale(what, 0)
	case "command":
		for name := range vars {
			if program(name) == what {
				scale(name, 0.8)
			}
		}
	case "slots":
		vars["jobs"] = what
	}
	return vars
}

// program is what runs a piece of work: cc for cc1.
func program(variable string) string { return strings.TrimRight(variable, "0123456789") }

// ask returns procspan's answer about a change.
func (w *whatIfJob) ask(j *job, change string) (gain, bool) {
	kind, what, _ := strings.Cut(change, " ")
	is := func(g gain) bool {
		switch kind {
		case "process":
			return *g.Process == j.find(program(what)+" "+w.vars[what])
		case "command":
			return g.Command == what
		}
		return strconv.Itoa(g.Slots) == what
	}
	all := map[string][]gain{"process": j.WhatIf.Processes, "command": j.WhatIf.Commands, "slots": j.WhatIf.Slots}[kind]
	if at := slices.IndexFunc(all, is); at >= 0 {
		return all[at], true
	}
	return gain{}, false
}
