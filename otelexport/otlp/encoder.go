package otlp

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/catalogue"
	"github.com/procspan/procspan/process"
)

const (
	// fieldItem is ScopeSpans.spans in opentelemetry/proto/trace/v1, and
	// ScopeLogs.log_records in opentelemetry/proto/logs/v1.
	fieldItem = 2
	// maxScratch is the largest scratch buffer, in bytes, that is kept for reuse.
	maxScratch = 1 << 20
)

// Options configure an Encoder.
type Options struct {
	Clock   *Clock
	Capture config.Capture
	// SpanLimits bound spans, RecordLimits log records.
	SpanLimits   config.SpanLimits
	RecordLimits config.AttributeLimits
	// Limited, when set, counts what these took away.
	Limited *Limited
	// Redactor, when set, sees variables, and arguments unless capture.args is full.
	Redactor Redactor
	// Names, when set, resolves user ids.
	Names Names
}

// Redactor removes secrets.
type Redactor interface {
	// Args returns as many arguments as it is given, argv[0] first, each ended by
	// a NUL byte; the last may be cut.
	Args(args string) string
	// Variable returns the value to send for that of an environment variable.
	Variable(name, value string) string
}

// Names resolves user ids. It must not block.
type Names interface {
	// User returns the name of a user of the initial user namespace, or "".
	User(uid uint32) string
}

// Encoder encodes processes as spans and log records: each is one element of
// ScopeSpans.spans or ScopeLogs.log_records, as tag, length, message.
//
// Load encodes the attributes of a lifetime once; Span and ExitRecord copy them, in
// this order. The Encoder reuses its memory: what a method returns is valid until the
// next call.
type Encoder struct {
	clock     *Clock
	capture   config.Capture
	names     Names
	redactor  Redactor
	variables []variable

	keys *keys
	// profiles has the sets that rules can select instead.
	profiles map[string]*keys
	spans    limits
	events   limits // of attributes of an event
	most     struct{ events, links int }
	records  limits
	limited  *Limited
	// How the current process is exported.
	treatment *process.Treatment
	args      config.ArgsPolicy

	// The loaded process.
	attributes         attributeList
	dropped            int // attributes that were dropped
	resource           *Resource
	name               string
	startTime, endTime uint64 // Unix ns
	end                outcome

	created timestamp
	// Parts of messages under construction, and the last finished one.
	head, inner, tail, wire []byte
	event                   attributeList
}

// variable is a captured environment variable.
type variable struct {
	name string
	// keyed is its attribute, see the function.
	keyed string
}

// NewEncoder returns an encoder for one goroutine.
func NewEncoder(o Options) *Encoder {
	e := &Encoder{
		clock: o.Clock, capture: o.Capture, names: o.Names, redactor: o.Redactor,
		keys:  keysOf(o.Capture.AttributeNames()...),
		spans: limitsOf(o.SpanLimits.AttributeLimits), records: limitsOf(o.RecordLimits),
		profiles: map[string]*keys{},
		limited:  cmp.Or(o.Limited, new(Limited)),
	}
	e.events = limits{e.spans.text, o.SpanLimits.EventAttributeCount}
	e.most.events, e.most.links = o.SpanLimits.EventCount, o.SpanLimits.LinkCount
	for _, level := range catalogue.Profiles() {
		e.profiles[level.String()] = keysOf(level.String())
	}
	for i, name := range o.Capture.Environment {
		if !slices.Contains(o.Capture.Environment[:i], name) {
			e.variables = append(e.variables, variable{name, keyed(catalogue.Variables + validUTF8(name))})
		}
	}
	return e
}

// Load encodes what the span of a lifetime and the record of its exit share.
func (e *Encoder) Load(l *process.Lifetime, r *Resource) {
	e.startTime = e.clock.UnixSince(l.Start, l.Root.Start)
	// A span is as long as the kernel measured, even if the wall clock was stepped
	// in between.
	e.endTime = after(e.startTime, l.Start, l.End)
	e.resource = r
	e.load(l, fieldSpanAttributes, e.spans)
}

// load encodes the attributes of a lifetime, within limits.
func (e *Encoder) load(l *process.Lifetime, field protowire.Number, within limits) {
	e.begin(field, within)
	e.exec(&execution{
		id: l.ID, parent: l.ParentPID, vpid: l.VPID, comm: l.Comm, traceStart: l.Root.Start,
		image: &l.Image, groups: &l.Groups, credentials: &l.Credentials, namespaces: &l.Namespaces,
		treatment: l.Treatment,
	}, e.resource)
	e.trace(l)
	e.usage(&l.Usage)
	e.end = e.outcome(l)
	e.finish(within)
}

// begin begins the attributes of a message, and finish ends them.
func (e *Encoder) begin(field protowire.Number, within limits) {
	e.attributes.reset(field)
	e.attributes.maxText = within.text
}

func (e *Encoder) finish(within limits) { e.dropped = e.fit(&e.attributes, within) }

// after returns the Unix time of at, given that of from; a moment before from
// counts as from.
func after(unix uint64, from, at process.Time) uint64 {
	return saturate(unix + uint64(max(0, at.Sub(from))))
}

// item returns an item made of these parts; each holds whole fields.
func (e *Encoder) item(head, attributes, tail []byte) ([]byte, error) {
	size := len(head) + len(attributes) + len(tail)
	if size > math.MaxInt32 {
		return nil, fmt.Errorf("encode item: %d bytes exceed protobuf's limit of 2 GiB", size)
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

// validUTF8 replaces invalid bytes by U+FFFD. Every string of a process passes
// through here: paths and arguments are arbitrary bytes, and a server rejects a
// whole request for one invalid string.
func validUTF8(s string) string {
	return strings.ToValidUTF8(s, "\uFFFD")
}
