package process

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// placing is a story about the trace and the parent of each span.
type placing struct {
	name   string
	policy Policy
	tell   func(s *story)
	want   []string
	// stats are what the table counts, with those that have ended filled in.
	stats Stats
}

func tellAll(t *testing.T, cases []placing) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			s := newStoryUnder(t, roomy, tc.policy)
			tc.tell(s)
			if got := s.places(); !slices.Equal(got, tc.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(tc.want, "\n\t"))
			}
			got, want := s.table.Stats(), tc.stats
			want.Ended, got.Living = uint64(len(tc.want)), 0
			want.Seen, want.Running = got.Seen, got.Running // checkCounts holds them
			want.Continued = got.Continued                  // and the tests of wide trees this
			if got != want {
				t.Errorf("stats %+v, want %+v", got, want)
			}
		})
	}
}

// places renders the lifetimes by what the model of traces decides: name, trace
// (the name of the process it began with, or the letters of a remote one),
// parent, link, boundary, and how many below were left out.
func (s *story) places() []string {
	s.t.Helper()
	lines := []string{}
	for _, l := range s.got {
		if l.Context.Span != testIDs.SpanID(l.ID) {
			s.t.Errorf("%s has span id %x", s.name(l.ID), l.Context.Span)
		}
		line := s.name(l.ID) + " in " + s.traceName(l.Context.Trace)
		switch {
		case l.ParentRemote:
			line += " under remote " + s.spanName(l.ParentSpan)
		case l.ParentSpan != (SpanID{}):
			line += " under " + s.spanName(l.ParentSpan)
		}
		if !l.Link.IsZero() {
			line += " linked to " + s.traceName(l.Link.Trace) + ":" + s.spanName(l.Link.Span)
		}
		if l.Boundary != "" {
			line += ", " + string(l.Boundary)
		}
		if l.TraceState != "" {
			line += ", state " + l.TraceState
		}
		if l.Filtered > 0 {
			line += fmt.Sprintf(", %d left out", l.Filtered)
		}
		lines = append(lines, line)
	}
	return lines
}

func (s *story) traceName(id TraceID) string {
	for name, p := range s.names {
		if testIDs.TraceID(p.id) == id {
			return name
		}
	}
	return strings.TrimRight(string(id[:]), "\x00")
}

func (s *story) spanName(id SpanID) string {
	for name, p := range s.names {
		if testIDs.SpanID(p.id) == id {
			return name
		}
	}
	return strings.TrimRight(string(id[:]), "\x00")
}

// testExtract reads a TRACEPARENT of the tests: trace-span-flag, each of the
// first two in letters, or in hexadecimal where it is as long as an id.
func testExtract(traceparent, tracestate string) (Remote, bool) {
	part := strings.Split(traceparent, "-")
	if len(part) != 3 || part[0] == "" || part[1] == "" {
		return Remote{}, false
	}
	r := Remote{State: tracestate, Sampled: part[2] == "1"}
	letters := func(to []byte, from string) {
		if raw, err := hex.DecodeString(from); err == nil && len(raw) == len(to) {
			from = string(raw)
		}
		copy(to, from)
	}
	letters(r.Context.Trace[:], part[0])
	letters(r.Context.Span[:], part[1])
	return r, true
}

// ownTraceparent is what a process is told that shall begin the trace by its own
// name, as procspan exec tells it.
func ownTraceparent(p *proc) string {
	return fmt.Sprintf("%x-%x-1", testIDs.TraceID(p.id), testIDs.SpanID(p.id))
}

// The verbs of these stories. The table sees them with the next fork or exec.

func (s *story) wait(d time.Duration) { s.k.now = s.k.now.Add(d) }

func (s *story) setsid(name string) { s.t.Helper(); s.k.setsid(s.proc(name)) }

// job puts processes into the group that the first of them leads.
func (s *story) job(names ...string) {
	s.t.Helper()
	for _, name := range names {
		s.proc(name).groups.Group = s.proc(names[0]).id.PID
	}
}

func (s *story) terminal(name string) { s.t.Helper(); s.proc(name).groups.Terminal = 0x8801 }

func (s *story) cgroup(name string, v2, v1 uint64) {
	s.t.Helper()
	s.proc(name).groups.Cgroup = Cgroup{V2: v2, V1: v1}
}

func (s *story) setenv(name string, variables ...string) {
	s.t.Helper()
	s.k.setenv(s.proc(name), variables...)
}

// runWith runs child with a TRACEPARENT.
func (s *story) runWith(parent, child, traceparent string) {
	s.t.Helper()
	s.fork(parent, child)
	s.setenv(child, "LANG=C", "TRACEPARENT="+traceparent)
	s.exec(child)
}

// shell runs an interactive shell: a session with a terminal.
func (s *story) shell(parent, name string) {
	s.t.Helper()
	s.fork(parent, name)
	s.setsid(name)
	s.terminal(name)
	s.exec(name)
}

// command runs one command of a pipeline that the first of the names leads.
func (s *story) command(shell string, pipeline ...string) {
	s.t.Helper()
	name := pipeline[len(pipeline)-1]
	s.fork(shell, name)
	s.job(pipeline...)
	s.exec(name)
}

func TestTestExtract(t *testing.T) {
	r, ok := testExtract("r-s-1", "k=v")
	if !ok || !r.Sampled || r.State != "k=v" || !bytes.HasPrefix(r.Context.Trace[:], []byte("r\x00")) {
		t.Errorf("got %+v, %t", r, ok)
	}
	if _, ok := testExtract("nonsense", ""); ok {
		t.Error("nonsense is valid")
	}
}
