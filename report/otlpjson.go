package report

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/timeline"
)

// How much one line holds: readers of files of lines bear no longer ones.
const (
	maxLineSpans = 500
	maxLineBytes = 512 << 10
)

// OTLP writes the job as the OpenTelemetry specification's file exporter does:
// JSON lines, each a TracesData. Trace and span ids are those that procspan sends.
func OTLP(w io.Writer, a *timeline.Analysis) error {
	return buffered(w, "the spans", func(out *bufio.Writer) (err error) {
		ids := process.NewIDs(a.Job.Boot)
		trace := a.Job.Trace
		if trace == (process.TraceID{}) && a.Len() > 0 {
			trace = ids.TraceID(a.ID(max(a.Root, 0)))
		}
		head, tail := envelope(a)
		bytes, count := 0, 0 // in the line
		for i := range a.Len() {
			b, encodeErr := json.Marshal(otlpSpan(a, i, &ids, trace))
			err = errors.Join(err, encodeErr)
			if count == maxLineSpans || count > 0 && bytes+len(b) > maxLineBytes {
				out.WriteString(tail)
				bytes, count = 0, 0
			}
			if count == 0 {
				out.WriteString(head)
			} else {
				out.WriteByte(',')
			}
			out.Write(b)
			bytes, count = bytes+len(b)+1, count+1
		}
		if count > 0 {
			out.WriteString(tail)
		}
		return err
	})
}

// envelope is what stands around the spans of a line.
func envelope(a *timeline.Analysis) (head, tail string) {
	resource, _ := json.Marshal(map[string]any{"attributes": attributes(map[string]any{ // strings only
		"service.name": "procspan", "host.name": a.Job.Host, "telemetry.distro.name": "procspan", "telemetry.distro.version": a.Job.Version,
	})})
	scope, _ := json.Marshal(map[string]any{"name": "github.com/procspan/procspan", "version": a.Job.Version})
	return `{"resourceSpans":[{"resource":` + string(resource) + `,"scopeSpans":[{"scope":` + string(scope) + `,"spans":[`, "]}]}]}\n"
}

type jsonSpan struct {
	TraceID    process.TraceID `json:"traceId"`
	SpanID     process.SpanID  `json:"spanId"`
	ParentID   process.SpanID  `json:"parentSpanId,omitzero"`
	Flags      uint32          `json:"flags"`
	Name       string          `json:"name"`
	Kind       int             `json:"kind"`
	Start      string          `json:"startTimeUnixNano"`
	End        string          `json:"endTimeUnixNano"`
	Attributes []jsonAttribute `json:"attributes"`
	Events     []jsonEvent     `json:"events,omitempty"`
	Status     jsonStatus      `json:"status"`
}

type jsonAttribute struct {
	Key   string         `json:"key"`
	Value map[string]any `json:"value"`
}

type jsonEvent struct {
	Time       string          `json:"timeUnixNano"`
	Name       string          `json:"name"`
	Attributes []jsonAttribute `json:"attributes,omitempty"`
}

type jsonStatus struct {
	Message string `json:"message,omitempty"`
	Code    int    `json:"code,omitempty"`
}

// The numbers of opentelemetry.proto.trace.v1 that are used here.
const (
	kindInternal = 1
	statusError  = 2
	flagSampled  = 1
	flagIsRemote = 0x200
	flagHas      = 0x100
)

func otlpSpan(a *timeline.Analysis, i int, ids *process.IDs, trace process.TraceID) jsonSpan {
	s := jsonSpan{
		TraceID: trace, SpanID: ids.SpanID(a.ID(i)), Flags: flagSampled | flagHas,
		Name: valid(a.Name(i)), Kind: kindInternal,
		Start: wallClock(a, a.Start[i]), End: wallClock(a, a.End[i]),
	}
	switch p := a.Parent[i]; {
	case p != timeline.None:
		s.ParentID = ids.SpanID(a.ID(int(p)))
	case i == a.Root && a.Job.RemoteParent != (process.SpanID{}):
		s.ParentID, s.Flags = a.Job.RemoteParent, s.Flags|flagIsRemote
	}
	if a.Has(i, timeline.Failed) {
		s.Status = jsonStatus{a.Outcome(i), statusError}
	}
	d := details(a, i)
	if a.Has(i, timeline.Failed) {
		d["error.type"] = cmp.Or(a.Status[i].SignalName(), strconv.Itoa(a.ExitCode(i)))
	}
	d["process.executable.name"] = a.Text(a.Executable[i])[strings.LastIndexByte(a.Text(a.Executable[i]), '/')+1:]
	s.Attributes = attributes(d)
	for _, r := range a.Reexecs[int32(i)] {
		s.Events = append(s.Events, jsonEvent{
			wallClock(a, r.At), "procspan.exec", attributes(map[string]any{"process.executable.name": a.Text(r.Program)}),
		})
	}
	return s
}

// wallClock is the wall-clock time of a moment of the job, as JSON has it.
func wallClock(a *timeline.Analysis, at int64) string {
	return strconv.FormatInt(a.Job.Begin.UnixNano()+at, 10)
}

// attributes are in the order of their names.
func attributes(values map[string]any) []jsonAttribute {
	var all []jsonAttribute
	for key, value := range ordered(values) {
		all = append(all, jsonAttribute{key, anyValue(value)})
	}
	return all
}

// anyValue is an AnyValue as ProtoJSON has it: 64-bit integers are strings.
func anyValue(value any) map[string]any {
	switch v := value.(type) {
	case bool:
		return map[string]any{"boolValue": v}
	case float64:
		return map[string]any{"doubleValue": v}
	case uint32, uint64, int:
		return map[string]any{"intValue": fmt.Sprint(v)}
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = map[string]any{"stringValue": valid(s)}
		}
		return map[string]any{"arrayValue": map[string]any{"values": list}}
	}
	return map[string]any{"stringValue": valid(fmt.Sprint(value))}
}

func ordered(values map[string]any) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, key := range slices.Sorted(maps.Keys(values)) {
			if !yield(key, values[key]) {
				return
			}
		}
	}
}

// valid is s as UTF-8, which protobuf's strings and JSON are.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
