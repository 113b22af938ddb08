package timeline

import (
	"testing"
	"time"
)

// Jobs whose changed course is known.
func TestWhatIf(t *testing.T) {
	objects := []life{
		{name: "make", end: 41, args: "-j2"},
		{name: "cc#1", under: "make", start: 0, end: 10, waited: yes}, {name: "cc#2", under: "make", start: 0, end: 30, waited: yes},
		{name: "cc#3", under: "make", start: 10, end: 20, waited: yes}, {name: "cc#4", under: "make", start: 20, end: 30, waited: yes},
		{name: "ld", under: "make", start: 30, end: 40, waited: yes},
	}
	// Two makes share two slots: x runs 1 and 2, and y runs 3 and 4, each in the
	// slot that it is in itself.
	nested := []life{
		{name: "make", end: 46, args: "-j2"},
		{name: "make#x", under: "make", start: 0, end: 29, waited: yes}, {name: "make#y", under: "make", start: 0, end: 36, waited: yes},
		{name: "cc#1", under: "make#x", start: 0, end: 10, waited: yes}, {name: "cc#2", under: "make#x", start: 10, end: 25, waited: yes},
		{name: "cc#3", under: "make#y", start: 0, end: 20, waited: yes}, {name: "cc#4", under: "make#y", start: 20, end: 32, waited: yes},
		{name: "ar#1", under: "make#x", start: 25, end: 29, waited: yes}, {name: "ar#2", under: "make#y", start: 32, end: 36, waited: yes},
		{name: "ld", under: "make", start: 36, end: 46, waited: yes},
	}
	serial := []life{
		{name: "make", end: 60},
		{name: "cc#1", under: "make", start: 0, end: 10, waited: yes}, {name: "cc#2", under: "make", start: 10, end: 30, waited: yes},
		{name: "cc#3", under: "make", start: 30, end: 50, waited: yes}, {name: "ld", under: "make", start: 50, end: 60, waited: yes},
	}
	for _, c := range []struct {
		name  string
		lives []life
		cpus  int
		gain  func(*story, *Model, *WhatIf) Gain
		want  float64 // ms
	}{
		{
			name:  "one of a chain",
			lives: []life{{name: "sh", end: 100}, {name: "a", under: "sh", start: 0, end: 60, waited: yes}, {name: "b", under: "sh", start: 60, end: 100, waited: yes}},
			gain:  func(s *story, m *Model, w *WhatIf) Gain { return w.Process(s.at(m, "a"), 1) },
			want:  60,
		},
		{
			name:  "half of it",
			lives: []life{{name: "sh", end: 100}, {name: "a", under: "sh", start: 0, end: 60, waited: yes}, {name: "b", under: "sh", start: 60, end: 100, waited: yes}},
			gain:  func(s *story, m *Model, w *WhatIf) Gain { return w.Process(s.at(m, "a"), 0.5) },
			want:  30,
		},
		{
			name:  "beside one that takes nearly as long",
			lives: []life{{name: "make", end: 100, args: "-j2"}, {name: "a", under: "make", start: 0, end: 100, waited: yes}, {name: "b", under: "make", start: 0, end: 90, waited: yes}},
			gain:  func(s *story, m *Model, w *WhatIf) Gain { return w.Process(s.at(m, "a"), 1) },
			want:  10,
		},
		{
			name: "off the path", lives: objects,
			gain: func(s *story, m *Model, w *WhatIf) Gain { return w.Process(s.at(m, "cc#2"), 1) },
			want: 10, // the other three share two slots
		},
		{
			name: "the link", lives: objects,
			gain: func(s *story, m *Model, w *WhatIf) Gain { return w.Process(s.at(m, "ld"), 1) },
			want: 10,
		},
		{
			name: "one slot", lives: objects,
			gain: func(_ *story, _ *Model, w *WhatIf) Gain { return w.Slots(1) },
			want: -30,
		},
		{
			name:  "the first member of a pipeline",
			lives: []life{{name: "sh", end: 100}, {name: "slow", under: "sh", end: 99, waited: yes}, {name: "cat", under: "sh", start: 0.5, end: 99.5, waited: yes}},
			gain:  func(s *story, m *Model, w *WhatIf) Gain { return w.Process(s.at(m, "slow"), 1) },
			want:  98.5,
		},
		{
			name: "all of a command", lives: objects,
			gain: func(s *story, m *Model, w *WhatIf) Gain { return w.Command(m.Program[s.at(m, "cc#1")], 1) },
			want: 30,
		},
		{
			name: "what comes after several waits for all of them",
			lives: []life{
				{name: "sh", end: 50}, {name: "back", under: "sh", end: 40, waited: yes}, {name: "fore", under: "sh", end: 25, waited: yes},
				{name: "after", under: "sh", start: 40, end: 50, waited: yes},
			},
			gain: func(s *story, m *Model, w *WhatIf) Gain { return w.Process(s.at(m, "back"), 1) },
			want: 15,
		},
		{
			name: "nested makes: one more slot for each", lives: nested,
			gain: func(_ *story, _ *Model, w *WhatIf) Gain { return w.Slots(4) },
			want: 12, // y: cc#3 beside cc#4
		},
		{
			name: "nested makes: one slot", lives: nested,
			gain: func(_ *story, _ *Model, w *WhatIf) Gain { return w.Slots(1) },
			want: -29,
		},
		{
			name: "nested makes: one without work", lives: nested,
			gain: func(s *story, m *Model, w *WhatIf) Gain { return w.Process(s.at(m, "cc#3"), 1) },
			want: 7,
		},
		{
			name: "a make without slots: as many as it likes", lives: serial,
			gain: func(_ *story, _ *Model, w *WhatIf) Gain { return w.Slots(4) },
			want: 30, // the link waits for the objects, as far as one can tell
		},
		{
			name: "four on two CPUs: one less leaves the CPUs to the others", cpus: 2,
			lives: []life{
				{name: "make", end: 40, args: "-j4"},
				{name: "a", under: "make", end: 40, waited: yes, cpu: 20, delay: 20}, {name: "b", under: "make", end: 40, waited: yes, cpu: 20, delay: 20},
				{name: "c", under: "make", end: 40, waited: yes, cpu: 20, delay: 20}, {name: "d", under: "make", end: 40, waited: yes, cpu: 20, delay: 20},
			},
			gain: func(s *story, m *Model, w *WhatIf) Gain { return w.Process(s.at(m, "a"), 1) },
			want: 10,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStory(t).add(c.lives...)
			if c.cpus > 0 {
				s.job.CPUs = c.cpus
			}
			m := s.model(c.lives[0].name)
			w := m.WhatIf(m.Path())
			if off := w.base - float64(m.Elapsed); off > 1e6 || off < -1e6 {
				t.Errorf("without a change the job takes %v in the simulation, it took %v", time.Duration(w.base), m.Elapsed)
			}
			got := c.gain(s, m, w)
			want := time.Duration(c.want * 1e6)
			if d := got.About - want; d > m.Elapsed/100 || d < -m.Elapsed/100 {
				t.Errorf("gain %+v, want about %v", got, want)
			}
			if got.Least > want || got.Most < want {
				t.Errorf("gain %+v does not contain %v", got, want)
			}
		})
	}
}

// A process that only ever waited for a CPU has no demand that can be computed.
func TestWhatIfWithoutCPUTime(t *testing.T) {
	s := newStory(t).add(life{name: "make", end: 40, args: "-j4"}, life{name: "a", under: "make", end: 40, waited: yes, delay: 60},
		life{name: "b", under: "make", end: 40, waited: yes, cpu: 40}, life{name: "c", under: "make", end: 40, waited: yes, cpu: 40})
	m := s.model("make")
	w := m.WhatIf(m.Path())
	if !(w.base > 0.9*float64(m.Elapsed)) || w.base > 1.1*float64(m.Elapsed) {
		t.Errorf("without a change the job takes %v ns in the simulation, it took %v", w.base, m.Elapsed)
	}
}

// What a process waited for the CPUs that others had, outside of the job, it would
// wait again.
func TestWhatIfOnABusyMachine(t *testing.T) {
	s := newStory(t).add(life{name: "sh", end: 100},
		life{name: "sort", under: "sh", end: 100, waited: yes, cpu: 20, delay: 80}, life{name: "seq", under: "sh", end: 60, cpu: 1, waited: yes})
	m := s.model("sh")
	w := m.WhatIf(m.Path())
	if base := time.Duration(w.base); base < m.Elapsed*9/10 {
		t.Errorf("without a change the job takes %v in the simulation, it took %v", base, m.Elapsed)
	}
	if g := w.Process(s.at(m, "sort"), 0.2); g.About < 19*time.Millisecond || g.About > 20*time.Millisecond {
		t.Errorf("gain %+v, want about 20ms", g)
	}
}
