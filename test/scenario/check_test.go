package scenario

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"golang.org/x/sys/unix"
)

// tolerance is what a span's times may lie outside the bounds that clocks read
// before and after: the agent converts kernel time with an offset that it knows
// to a few microseconds, as long as nobody sets the wall clock.
const tolerance = 100 * time.Microsecond

// want is what a test expects of one process, in its own words: what a scenario
// says happened is not taken for granted.
type want struct {
	label  string // of the process in the scenario
	name   string // of the span
	code   int    // process.exit.code
	or     int    // another exit code that the kernel may give, if not 0
	signal string // procspan.exit.signal
	core   bool
	under  string   // label of the process whose span is the parent; "" is the scenario
	root   bool     // the span has no parent
	execs  []string // names of the programs that it became later
	killer string   // label of the process that killed it
	oom    bool     // it was killed for want of memory
	limit  int64    // of memory, that it was killed for, if not 0
	waits  []string // labels of the processes that it waited for
	reads  int64    // bytes that it reads after it stood still, if not 0
	writes int64    // bytes that it writes
	fine   bool     // the end is an expected one, although the exit code is not 0
	cut    bool     // the arguments are longer than what is captured
	far    bool     // the directory is deeper than what is captured
}

// compare checks the spans of a played scenario: one for each process that is
// to have one, with every field as it must be, and none beside.
func (o *observer) compare(t *testing.T, truths []Process, wants []want) map[string]Span {
	t.Helper()
	o.settle(t)
	spans, byPID := make(map[string]Span), make(map[int]Span)
	people := make(map[int]*Process)
	for i := range truths {
		p := &truths[i]
		if !p.NoSpan {
			people[p.PID] = p
		}
		found := slices.DeleteFunc(o.sink.OfPID(p.PID), func(s Span) bool { return !p.lived(s) })
		switch {
		case p.NoSpan && len(found) > 0:
			t.Errorf("%s (pid %d): %d spans, want none: %v", p.Label, p.PID, len(found), found)
		case !p.NoSpan && len(found) != 1:
			t.Errorf("%s (pid %d): %d spans, want 1: %v", p.Label, p.PID, len(found), found)
		case !p.NoSpan:
			spans[p.Label], byPID[p.PID] = found[0], found[0]
		}
	}
	if t.Failed() {
		return spans
	}
	members := make(map[string]int)
	for i := range truths {
		p := &truths[i]
		if p.NoSpan {
			continue
		}
		w := p.wanted(wants)
		if w == nil {
			t.Errorf("%s: the test does not expect this process", p.Label)
			continue
		}
		root := p
		for root.Origin != 0 {
			if root = people[root.Origin]; root == nil {
				t.Fatalf("%s: the scenario tells nothing of its origins", p.Label)
			}
		}
		c := checker{t: t, p: p, span: spans[p.Label]}
		c.lineage(w, people[p.Origin], byPID[p.Origin], byPID[root.PID])
		c.identity(w)
		c.times(w)
		c.outcome(w)
		c.image(w)
		c.facts(w, truths)
		members[c.span.Trace()]++
	}
	for trace, n := range members {
		if got := o.sink.OfTrace(trace); len(got) != n {
			t.Errorf("trace %x has %d spans, want %d: %v", trace, len(got), n, names(got))
		}
	}
	for _, w := range wants {
		if _, ok := spans[w.label]; !ok && !strings.HasSuffix(w.label, "*") {
			t.Errorf("%s: the scenario has no such process", w.label)
		}
	}
	return spans
}

// lived reports whether a span of the same pid can be of p: it overlaps the time
// in which p is known to have lived.
func (p *Process) lived(s Span) bool {
	return int64(s.EndTimeUnixNano) >= p.Created.NotBefore-int64(tolerance) &&
		(p.Ended.NotAfter == 0 || int64(s.StartTimeUnixNano) <= p.Ended.NotAfter+int64(tolerance))
}

// wanted finds what is expected of p; a label may end in "*".
func (p *Process) wanted(wants []want) *want {
	if p.Label == "scenario" {
		return &want{label: p.Label, name: filepath.Base(p.Executable), root: true}
	}
	for i, w := range wants {
		if stem, many := strings.CutSuffix(w.label, "*"); w.label == p.Label || many && strings.HasPrefix(p.Label, stem) {
			return &wants[i]
		}
	}
	return nil
}

func names(spans []Span) (list []string) {
	for _, s := range spans {
		list = append(list, fmt.Sprintf("%s (pid %d)", s.Name, s.PID))
	}
	return list
}

// checker compares one span.
type checker struct {
	t    *testing.T
	p    *Process
	span Span
}

func (c *checker) errorf(format string, args ...any) {
	c.t.Helper()
	c.t.Errorf("%s (pid %d): %s", c.p.Label, c.p.PID, fmt.Sprintf(format, args...))
}

func (c *checker) equal(what string, got, want any) {
	c.t.Helper()
	if !reflect.DeepEqual(got, want) {
		c.errorf("%s is %.300s, want %.300s", what, fmt.Sprint(got), fmt.Sprint(want))
	}
}

// attr checks an attribute; want nil means that it is absent.
func (c *checker) attr(key string, want any) {
	c.t.Helper()
	c.equal(key, c.span.Attr(key), want)
}

func (c *checker) lineage(w *want, by *Process, origin, root Span) {
	under := ""
	if by != nil {
		under = by.Label
	}
	expected := w.under
	if expected == "" && !w.root {
		expected = "scenario"
	}
	if stem, many := strings.CutSuffix(expected, "*"); !many || !strings.HasPrefix(under, stem) {
		c.equal("the scenario's origin", under, expected)
	}
	parent := ""
	if c.p.Origin != 0 {
		parent = origin.ID()
	}
	c.equal("the parent span", fmt.Sprintf("%x", c.span.Parent()), fmt.Sprintf("%x", parent))
	c.equal("the trace", fmt.Sprintf("%x", c.span.Trace()), fmt.Sprintf("%x", root.Trace()))
	c.equal("length of span id", len(c.span.SpanId), 8)
	c.equal("length of trace id", len(c.span.TraceId), 16)
}

func (c *checker) identity(w *want) {
	c.equal("the name", c.span.Name, w.name)
	c.equal("the kind", c.span.Kind, tracepb.Span_SPAN_KIND_INTERNAL)
	c.attr("process.pid", int64(c.p.PID))
	c.attr("process.parent_pid", int64(c.p.ParentPID))
}

func (c *checker) times(w *want) {
	created, _ := c.span.Attr("process.creation.time").(string)
	at, err := time.Parse(time.RFC3339Nano, created)
	if err != nil || !c.p.Created.Contains(at.UnixNano(), tolerance) {
		c.errorf("process.creation.time is %s (%v), want within %s", created, err, c.p.Created)
	}
	begin, end := int64(c.span.StartTimeUnixNano), int64(c.span.EndTimeUnixNano)
	if begin > end {
		c.errorf("it starts %d ns after its end", begin-end)
	}
	if c.p.Older {
		c.attr("procspan.start.estimated", true)
		c.equal("the start", begin, at.UnixNano())
	} else {
		c.attr("procspan.start.estimated", nil)
		c.within("the start", begin, c.p.Started)
	}
	c.within("the end", end, c.p.Ended)

	c.execs(w)
}

func (c *checker) execs(w *want) {
	var execs []string
	for _, e := range c.p.Reexecs {
		execs = append(execs, filepath.Base(e.Path))
	}
	c.equal("the scenario's list of execs", execs, w.execs)
	if len(c.span.Events) != len(w.execs) {
		c.errorf("%d events, want %d: %v", len(c.span.Events), len(w.execs), c.span.Events)
		return
	}
	previous := c.p.First
	for i, e := range c.p.Reexecs {
		event := c.span.Events[i]
		c.equal("the name of an event", event.Name, "procspan.exec")
		c.within("the exec of "+e.Path, int64(event.TimeUnixNano), e.Moment)
		c.equal("its process.executable.path", attr(event.Attributes, "process.executable.path"), any(e.Path))
		c.equal("its procspan.exec.previous_path", attr(event.Attributes, "procspan.exec.previous_path"), any(previous))
		previous = e.Path
	}
}

func (c *checker) within(what string, ns int64, m Moment) {
	if !m.Contains(ns, tolerance) {
		c.errorf("%s is at %d, want within %s", what, ns, m)
	}
}

// String shows both bounds.
func (m Moment) String() string { return fmt.Sprintf("[%d, %d]", m.NotBefore, m.NotAfter) }

func (c *checker) outcome(w *want) {
	code, signal := c.p.Status.ExitStatus(), ""
	var kind any
	if c.p.Status.Signaled() {
		code, signal = 128+int(c.p.Status.Signal()), unix.SignalName(c.p.Status.Signal())
		kind = signal
	} else if code != 0 {
		kind = strconv.Itoa(code)
	}
	each := strings.HasSuffix(w.label, "*") // the test knows each code by itself
	if !each && (w.or == 0 || code != w.or) {
		c.equal("the scenario's exit code", code, w.code)
	}
	c.equal("the scenario's signal", signal, w.signal)
	c.equal("the scenario's core dump", c.p.Status.CoreDump(), w.core)
	var expected any
	if w.fine {
		kind, expected = nil, true
	}
	c.attr("process.exit.code", int64(code))
	c.attr("procspan.exit.expected", expected)
	c.attr("error.type", kind)
	if signal == "" {
		c.attr("procspan.exit.signal", nil)
		c.attr("procspan.exit.core_dumped", nil)
	} else {
		c.attr("procspan.exit.signal", signal)
		c.attr("procspan.exit.core_dumped", c.p.Status.CoreDump())
	}
	status := tracepb.Status_STATUS_CODE_UNSET
	if code != 0 && !w.fine {
		status = tracepb.Status_STATUS_CODE_ERROR
	}
	c.equal("the status", c.span.Status.GetCode(), status)
}
