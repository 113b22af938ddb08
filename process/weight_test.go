package process

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// facts returns what a lifetime says about its process.
func facts(l *Lifetime) *Lifetime {
	plain := *l
	plain.weight, plain.estimate = nil, 0
	return &plain
}

// A trace ends when its spans take MaxBytes, however they end, and is continued as one
// that has MaxSpans.
func TestMaxBytes(t *testing.T) {
	const most, span = 10_000, 1000
	s := newStoryUnder(t, roomy, Policy{MaxBytes: most})
	s.run("init", "parent")
	for i := range 30 {
		name := fmt.Sprint(i)
		s.run("parent", name)
		s.exit(name)
		s.got[len(s.got)-1].Sent(span, 0)
	}
	s.exit("parent")
	if n := s.table.Stats().Continued; n != 3 {
		t.Errorf("%d traces are said to continue others, want 3", n)
	}
	traces, spans := []TraceID{}, map[TraceID]int{}
	for _, l := range s.got {
		if id := l.Context.Trace; spans[id] == 0 {
			traces = append(traces, id)
			if first := len(traces) == 1; first != l.Link.IsZero() || first != (l.Boundary == "") {
				t.Errorf("trace %d begins with %+v", len(traces), l)
			}
		}
		spans[l.Context.Trace]++
	}
	if len(traces) != 4 || spans[traces[0]] != 10 || spans[traces[1]] != 10 || spans[traces[2]] != 10 || spans[traces[3]] != 1 {
		t.Errorf("spans by trace: %v", spans)
	}
}

// What spans share counts once for those that are sent together.
func TestSharedBytes(t *testing.T) {
	s := newStoryUnder(t, roomy, Policy{})
	s.run("init", "parent")
	trace := s.table.find(s.proc("parent").id).span.trace
	before := trace.bytes
	for _, step := range []struct {
		name  string
		after Time
		group uint64
		want  int64
	}{
		{"the first", 0, 1, 110},
		{"at once", 0, 1, 210},
		{"another cgroup", 0, 2, 320},
		{"a second later", Time(together), 2, 430},
	} {
		s.run("parent", step.name)
		s.k.now += step.after
		s.exit(step.name)
		l := s.got[len(s.got)-1]
		l.Groups.Cgroup.V2 = step.group
		l.Sent(100, 10)
		l.Sent(100, 10) // as good as not called
		if got := trace.bytes - before; got != step.want {
			t.Errorf("%s: %d bytes, want %d", step.name, got, step.want)
		}
	}
}

// Whatever runs at the same time, no trace exceeds MaxBytes if no span exceeds the
// estimate at its start; also after a restart.
func TestMaxBytesHolds(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		policy := Policy{MaxBytes: 20_000, Session: seed%2 == 0, MinDuration: Time(seed % 3 * 5).Sub(0), KeepShortErrors: true, Extract: testExtract}
		s := newStoryUnder(t, Limits{Processes: 1000, Bytes: 1 << 20}, policy)
		s.unchecked = true
		s.run("init", "p0")
		living, made := []string{"p0"}, 1
		sizes := map[TraceID]int{}
		for range 600 {
			at := random.IntN(len(living))
			switch name := living[at]; {
			case random.IntN(3) == 0 && len(living) > 1 && at > 0:
				living = append(living[:at], living[at+1:]...)
				s.exit(name)
			case random.IntN(8) == 0 && seed%2 == 0:
				s.hear(s.k.exec(s.proc(name), Image{Executable: "/bin/again", Args: strings.Repeat("x", random.IntN(2000))}))
			case random.IntN(40) == 0:
				s.table = replaced(t, s.table)
			default:
				child := fmt.Sprint("p", made)
				made++
				s.fork(name, child)
				s.hear(s.k.exec(s.proc(child), Image{Executable: "/bin/" + child, Args: strings.Repeat("x", random.IntN(3000))}))
				living = append(living, child)
			}
			for _, l := range s.got {
				if l.weight == nil {
					t.Fatalf("seed %d: %+v has no weight", seed, l)
				}
				size := int(l.estimate)
				if len(l.Reexecs) > 0 {
					size = spanBytes
				}
				sizes[l.Context.Trace] += size
				l.Sent(size, 0)
			}
			s.got = nil
		}
		if len(sizes) < 10 {
			t.Errorf("seed %d: only %d traces", seed, len(sizes))
		}
		for id, size := range sizes {
			if int64(size) > policy.MaxBytes {
				t.Errorf("seed %d: trace %x has %d bytes", seed, id, size)
			}
		}
	}
}
