package timeline

import (
	"strings"
	"testing"
	"time"

	"github.com/procspan/procspan/process"
)

// run returns a build of n files of which some take longer, with a noise of up
// to 3 ms.
func buildOf(t *testing.T, n int, noise float64, slow map[int]float64, more ...life) *Model {
	s := newStory(t)
	at := 0.0
	for i := range n {
		length := 100 + float64((i*7919)%5)*noise
		if f := slow[i]; f > 0 {
			length *= f
		}
		s.add(life{
			name: "cc#" + string(rune('a'+i)), under: "make", start: at, end: at + length, waited: yes,
			args: "-c file" + string(rune('a'+i)) + ".c -o /tmp/cc" + string(rune('A'+int(noise*3)+i)) + "8f7a6b.s",
		})
		at += length
	}
	s.add(more...)
	s.add(life{name: "make", end: at + 1})
	return s.model("make")
}

func TestCompare(t *testing.T) {
	a := buildOf(t, 10, 0.3, nil)
	for _, c := range []struct {
		name  string
		b     *Model
		first string // of the processes
		kind  ChangeKind
	}{
		{"the same build again", buildOf(t, 10, 0.6, nil), "", ""},
		{"one file takes twice as long", buildOf(t, 10, 0.5, map[int]float64{3: 2}), "make › cc -c filed.c", Slower},
		{"one file takes a third", buildOf(t, 10, 0.5, map[int]float64{4: 0.3}), "make › cc -c filee.c", Faster},
		{"a new step", buildOf(t, 10, 0.3, nil, life{name: "strip", under: "make", start: 1, end: 900, args: "prog"}), "make › strip prog", New},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Compare([]*Model{a}, []*Model{c.b})
			if c.first == "" {
				if len(got.Commands) > 0 || len(got.Processes) > 0 || got.Slower() != 0 {
					t.Errorf("commands %v\nprocesses %v\nslower by %v, want no difference", got.Commands, got.Processes, got.Slower())
				}
				return
			}
			if len(got.Processes) != 1 || !strings.HasPrefix(got.Processes[0].Text, c.first) || got.Processes[0].Kind != c.kind {
				t.Errorf("processes %v\nwant one, %s: %s", got.Processes, c.kind, c.first)
			}
		})
	}
	gone := Compare([]*Model{buildOf(t, 10, 0.3, nil, life{name: "strip", under: "make", start: 1, end: 900})}, []*Model{a})
	if len(gone.Processes) != 1 || gone.Processes[0].Kind != Gone {
		t.Errorf("processes %v, want one that is gone", gone.Processes)
	}
}

// What the runs of one side differ in is noise.
func TestCompareNoise(t *testing.T) {
	var a []*Model
	for i := range 3 {
		a = append(a, buildOf(t, 10, 0.3, map[int]float64{2: 1 + float64(i)}))
	}
	if got := Compare(a, []*Model{buildOf(t, 10, 0.3, map[int]float64{2: 4})}); len(got.Processes) != 0 || got.Slower() != 0 {
		t.Errorf("%v differ, though the runs of one side differ as much", got.Processes)
	}
	if got := Compare(a[:1], a[2:]); got.Slower() < 0.15 || got.Slower() > 0.25 {
		t.Errorf("slower by %v, want 0.2", got.Slower())
	}
}

func TestNormalise(t *testing.T) {
	for line, want := range map[string]string{
		"cc1 -o /tmp/ccXYZ.s a.c":        "cc1 -o /tmp/… a.c",
		"git show 8a03cd2":               "git show …",
		"ld --build-id=deadbeef12345678": "ld --build-id=…",
		"echo defaced":                   "echo defaced",
		"cat /proc/4711":                 "cat …",
		"make --jobserver-auth=3,4 all":  "make --jobserver-auth=… all",
		"gcc -O2 -c main.c":              "gcc -O2 -c main.c",
	} {
		if got := Normalise(line); got != want {
			t.Errorf("%q is %q, want %q", line, got, want)
		}
	}
}

// What a process is to blame for itself is the time without children.
func TestOwn(t *testing.T) {
	s := newStory(t).add(
		life{name: "sh", end: 10}, life{name: "a", under: "sh", start: 1, end: 4}, life{name: "b", under: "sh", start: 3, end: 6},
		life{name: "c", under: "sh", start: 8, end: 20},
	)
	m := s.model("sh")
	if got := m.own(s.at(m, "sh")); got != 3*time.Millisecond {
		t.Errorf("sh by itself took %v, want 3ms", got)
	}
}

func TestFindings(t *testing.T) {
	seconds := func(f float64) float64 { return f * 1000 }
	s := newStory(t)
	s.job.CPUs = 8
	s.add(life{name: "make", end: seconds(20), args: "-j4", code: 0})
	for i := range 4 {
		s.add(life{name: "cc#" + string(rune('0'+i)), under: "make", start: 0, end: seconds(10), waited: yes, cpu: 1000, delay: 2000})
	}
	s.add(life{name: "ld", under: "make", start: seconds(10), end: seconds(19), waited: yes, args: "-o prog"})
	for i := range 200 {
		s.add(life{name: "git#" + string(rune('A'+i)), under: "make", start: seconds(19) + float64(4*i), end: seconds(19) + float64(4*i) + 3, waited: yes, args: "rev-parse HEAD", dir: "/src"})
	}
	s.add(
		life{name: "test", under: "make", start: 1, end: 2, code: 1},
		life{name: "eater", under: "make", start: 1, end: 2, signal: 9},
		life{name: "daemon", under: "make", start: 1, end: seconds(30), session: 5},
	)
	m := s.model("make")
	p := m.Path()
	checkPath(t, m, p)
	want := map[Kind]string{
		Serial:     "of it ld -o prog",
		Repeated:   "ran 200 times in one directory, 600ms in all: git rev-parse HEAD",
		Short:      "202 of 209 processes lived less than 10ms",
		WaitedCPU:  "the critical path waited 2s for a CPU",
		Tolerated:  "2 processes failed, and what started them succeeded; the first was test (exit 1)",
		Killed:     "1 process ended by a signal; the first was eater (SIGKILL)",
		LeftBehind: "1 process outlived the job, first of all daemon",
	}
	for _, f := range m.Findings(p) {
		if !strings.Contains(f.Text, want[f.Kind]) {
			t.Errorf("%s: %q, want %q", f.Kind, f.Text, want[f.Kind])
		}
		if f.AtMost > m.Elapsed {
			t.Errorf("%s: at most %v of %v", f.Kind, f.AtMost, m.Elapsed)
		}
		delete(want, f.Kind)
	}
	for kind := range want {
		t.Errorf("nothing of %s", kind)
	}
	// A quiet job has nothing to say.
	q := newStory(t).add(life{name: "sh", end: 100}, life{name: "a", under: "sh", start: 1, end: 99, waited: process.Yes}).model("sh")
	if all := q.Findings(q.Path()); len(all) > 0 {
		t.Errorf("findings %v, want none", all)
	}
}
