package otelexport

import (
	"fmt"
	"math"
	"slices"

	"go.opentelemetry.io/otel/attribute"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/process"
)

const (
	// fieldItem is ScopeSpans.spans in opentelemetry/proto/trace/v1, and
	// ScopeLogs.log_records in opentelemetry/proto/logs/v1.
	fieldItem = 2
	// maxScratch in bytes: a longer scratch buffer is not kept.
	maxScratch = 1 << 20
)

// encoder turns processes into spans and log records in wire form: one element
// of ScopeSpans.spans or ScopeLogs.log_records, as tag, length, message.
//
// First a process is loaded, then any of its items can be made. The attributes
// are encoded when it is loaded, and copied into the messages. The encoder owns
// the memory that all of this is made of and uses it again for the next, so that
// what it returns is valid until the next call. It is for one goroutine.
type encoder struct {
	clock     *Clock
	capture   config.Capture
	names     Names
	redactor  Redactor
	variables []variable

	// The process that is loaded.
	attributes         attributeList
	name               string
	startTime, endTime uint64 // Unix ns
	end                outcome
	started            process.Lifetime // what an exec tells

	created timestamp
	// Parts of messages in the making, and the last that was made.
	head, inner, events, wire []byte
}

// variable is an environment variable that is captured.
type variable struct {
	name string
	key  attribute.Key
}

func newEncoder(o Options) *encoder {
	e := &encoder{clock: o.Clock, capture: o.Capture, names: o.Names, redactor: o.Redactor}
	for i, name := range o.Capture.Environment {
		if !slices.Contains(o.Capture.Environment[:i], name) {
			e.variables = append(e.variables, variable{name, attribute.Key(attrVariable + validUTF8(name))})
		}
	}
	return e
}

// loadExit loads a process that has ended, of resource r.
func (e *encoder) loadExit(l *process.Lifetime, r *Resource) {
	e.attributes.reset(fieldSpanAttributes)
	e.startTime = e.clock.UnixSince(l.Start, l.Root.Start)
	// The length of a span is what the kernel measured, whatever the wall clock
	// did meanwhile.
	e.endTime = after(e.startTime, l.Start, l.End)
	e.nameAfter(l)
	e.start(l, r)
	e.usage(&l.Usage)
	e.end = e.outcome(l)
}

// loadExec loads a process at an exec.
func (e *encoder) loadExec(ev *process.Event, root process.ID, r *Resource) {
	e.attributes.reset(fieldRecordAttributes)
	l := &e.started
	*l = process.Lifetime{
		ID: ev.ID, Root: root, ParentPID: ev.Parent.PID, VPID: ev.VPID, Comm: ev.Comm,
		Image: ev.Image, Groups: ev.Groups, Credentials: ev.Credentials, Namespaces: ev.Namespaces,
	}
	if root.IsZero() {
		l.Root.Start = ev.At
	}
	e.startTime = e.clock.UnixSince(ev.At, l.Root.Start)
	e.nameAfter(l)
	e.start(l, r)
}

func (e *encoder) nameAfter(l *process.Lifetime) {
	if e.name = validUTF8(l.Name()); e.name == "" {
		e.name = "unknown"
	}
}

// after returns the Unix time of a moment (ns since boot) from that of another;
// a moment that lies before the other counts as the same.
func after(unix, from, at uint64) uint64 {
	if at <= from {
		return unix
	}
	return addTime(unix, at-from)
}

// item returns a message of these parts, each of whole fields, as an item.
func (e *encoder) item(head, attributes, tail []byte) ([]byte, error) {
	size := len(head) + len(attributes) + len(tail)
	if size > math.MaxInt32 {
		return nil, fmt.Errorf("encode an item: it has %d bytes, and protobuf's messages end at 2 GiB", size)
	}
	if cap(e.wire) > maxScratch {
		e.wire = nil
	}
	b := appendSize(e.wire[:0], fieldItem, size)
	b = append(b, head...)
	b = append(b, attributes...)
	e.wire = append(b, tail...)
	return e.wire, nil
}
