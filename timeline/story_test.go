package timeline

import (
	"strings"
	"testing"
	"time"

	"github.com/procspan/procspan/process"
)

// story builds models from a few lines. Times are in milliseconds.
type story struct {
	t    *testing.T
	b    *Builder
	job  Job
	pids map[string]uint32
}

// origin is when the stories' jobs start, in nanoseconds since boot.
const origin = process.Time(1e12)

func newStory(t *testing.T) *story {
	return &story{t: t, b: NewBuilder(), job: Job{CPUs: 2}, pids: map[string]uint32{}}
}

// life is one process of a story.
type life struct {
	name, under string
	start, end  float64
	args        string // after the name
	cpu, delay  float64
	waited      process.Answer
	code        int
	signal      int
	session     uint32
	dir         string
}

func ms(f float64) process.Time { return origin + process.Time(f*1e6) }

func (s *story) id(name string) process.ID {
	if name == "" {
		return process.ID{}
	}
	pid, ok := s.pids[name]
	if !ok {
		pid = uint32(100 + len(s.pids))
		s.pids[name] = pid
	}
	return process.ID{PID: pid, Start: origin - 1}
}

// add takes a life; what stands before a '#' in its name is the program.
func (s *story) add(lives ...life) *story {
	for _, l := range lives {
		program, _, _ := strings.Cut(l.name, "#")
		args := program + "\x00"
		for _, a := range strings.Fields(l.args) {
			args += a + "\x00"
		}
		s.b.Add(&process.Lifetime{
			ID: s.id(l.name), Parent: s.id(l.under), Start: ms(l.start), End: ms(l.end),
			Image:  process.Image{Filename: "/bin/" + program, Executable: "/bin/" + program, Args: args, WorkingDirectory: l.dir},
			Groups: process.Groups{Session: l.session}, Status: process.Status(l.code<<8 | l.signal),
			ParentWaiting: l.waited,
			Usage: process.Usage{
				UserTime: time.Duration(l.cpu * 1e6),
				RunDelay: time.Duration(l.delay * 1e6), RunDelayKnown: true,
			},
		}, "")
	}
	return s
}

// model ends the story; the job is the process called root.
func (s *story) model(root string) *Model {
	s.job.Root = s.id(root)
	return s.b.Model(s.job)
}

// at returns the index of a process of the story.
func (s *story) at(m *Model, name string) int {
	s.t.Helper()
	for i, pid := range m.PID {
		if pid == s.pids[name] {
			return i
		}
	}
	s.t.Fatalf("the model has no process %s", name)
	return None
}

// nameOf is the way back.
func (s *story) nameOf(m *Model, i int) string {
	for name, pid := range s.pids {
		if pid == m.PID[i] {
			return name
		}
	}
	return "?"
}
