package scenario

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// remote is a span outside that a test makes up, for TRACEPARENT. Its name stands
// for its trace, and for itself, in outlines; -name- stands for it in arguments.
type remote struct{ name, trace, span string }

func newRemote(name string) remote {
	var id [24]byte
	rand.Read(id[:])
	return remote{name, string(id[:16]), string(id[16:])}
}

// outliner writes outlines: a line for each process of a played scenario, with
// its trace, by number, its parent, why its trace is not that of the process
// that started it, and what it is linked to; or a dash, where it has no span.
type outliner struct {
	labels  map[string]string // by span id
	traces  map[string]string // by trace id
	numbers int               // of traces, given so far
	members map[string]Span   // by label
}

// outline returns the outline of a played scenario, and its spans by label.
// What in its traces hangs on the scenario and is none of it is in the outline
// too.
func (o *observer) outline(t *testing.T, truths []Process, remotes ...remote) (lines []string, spans map[string]Span) {
	t.Helper()
	o.settle(t)
	u := outliner{labels: make(map[string]string), traces: make(map[string]string), members: make(map[string]Span)}
	for _, r := range remotes {
		u.traces[r.trace], u.labels[r.span] = r.name, r.name
	}
	last := len(truths) - 1 // the scenario itself, which comes first here
	truths = append(truths[last:len(truths):len(truths)], truths[:last]...)
	for _, p := range truths {
		found := slices.DeleteFunc(o.sink.OfPID(p.PID), func(s Span) bool { return !p.lived(s) })
		if len(found) > 1 {
			t.Errorf("%s (pid %d) has %d spans: %v", p.Label, p.PID, len(found), found)
		}
		if len(found) > 0 {
			u.members[p.Label], u.labels[found[0].ID()] = found[0], p.Label
		}
	}
	for _, p := range truths {
		s, ok := u.members[p.Label]
		if !ok {
			lines = append(lines, "- "+p.Label)
			continue
		}
		lines = append(lines, u.line(p.Label, s))
	}
	for trace := range u.traces {
		for _, s := range o.sink.OfTrace(trace) {
			_, known := u.labels[s.ID()]
			if _, ours := u.labels[s.Parent()]; ours && !known {
				lines = append(lines, u.line(fmt.Sprintf("%s (pid %d)", s.Name, s.PID), s))
			}
		}
	}
	return lines, u.members
}

func (u *outliner) line(label string, s Span) string {
	const isRemote = uint32(tracepb.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
	line := u.trace(s.Trace()) + " " + label
	if len(s.ParentSpanId) > 0 {
		line += " under " + u.span(s, s.Trace(), s.Parent(), s.Flags&isRemote != 0)
	}
	if boundary, ok := s.Attr("procspan.trace.boundary").(string); ok {
		line += ", " + boundary
	}
	for _, link := range s.Links {
		line += ", link " + u.span(s, string(link.TraceId), string(link.SpanId), link.Flags&isRemote != 0)
	}
	if s.TraceState != "" {
		line += ", state " + s.TraceState
	}
	if n, ok := s.Attr("procspan.filtered").(int64); ok {
		line += fmt.Sprintf(", %d left out", n)
	}
	return line
}

// trace returns the number of a trace, or the name of a remote one.
func (u *outliner) trace(id string) string {
	if u.traces[id] == "" {
		u.numbers++
		u.traces[id] = fmt.Sprint(u.numbers)
	}
	return u.traces[id]
}

// span returns the label of what s refers to. That it is of the trace, and remote
// or not, as s says, is part of it. "test" is the parent of the scenario.
func (u *outliner) span(s Span, trace, id string, remote bool) string {
	label, known := u.labels[id]
	member, here := u.members[label]
	switch {
	case !known && !remote && s.Attr("process.parent_pid") == int64(os.Getpid()):
		return "test"
	case !known:
		return "nobody " + hex.EncodeToString([]byte(id))
	case here && member.Trace() != trace, !here && u.traces[trace] != label:
		return label + " of another trace"
	case here == remote:
		return label + " taken for another's"
	}
	return label
}

// traced plays a scenario and compares its outline with what is wanted, line by
// line; the scenario itself is the first.
func (o *observer) traced(t *testing.T, test traced, remotes ...remote) map[string]Span {
	t.Helper()
	args := slices.Clone(test.args)
	for i := range args {
		for _, r := range remotes {
			args[i] = strings.ReplaceAll(args[i], "-"+r.name+"-", fmt.Sprintf("-%x-%x-", r.trace, r.span))
		}
	}
	got, spans := o.outline(t, o.play(t, test.scenario, args...), remotes...)
	var want []string
	for line := range strings.Lines(strings.TrimSpace(test.want)) {
		want = append(want, strings.TrimSpace(line))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the outline is\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	return spans
}
