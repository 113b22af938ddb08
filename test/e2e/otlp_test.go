package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// span is a span as a back end gives it back.
type span struct {
	TraceID, SpanID, ParentID string
	Name                      string
	Kind                      int // 1 is INTERNAL
	Start, End                time.Time
	Attributes                attributes
	Resource                  attributes
	Events                    []event
	Links                     []spanContext
	StatusCode                int      // 0 unset, 1 ok, 2 error
	Warnings                  []string // what Jaeger holds against it
}

// event is a span event.
type event struct {
	Name string
	Time time.Time
}

// spanContext names a span.
type spanContext struct{ TraceID, SpanID string }

// attributes are those of a span or a resource: string, int64, float64, bool,
// or a list of these.
type attributes map[string]any

// String names a span in a test's message.
func (s *span) String() string {
	if s == nil {
		return "no span"
	}
	return fmt.Sprintf("%s (pid %v, span %s)", s.Name, s.Attributes["process.pid"], s.SpanID)
}

// record is a log record as a back end gives it back.
type record struct {
	TraceID, SpanID string
	Event           string
	Time            time.Time
	Severity        string // its text and number: "WARN 13"
	Body            any
	Attributes      attributes
	Resource        attributes
}

// String names a record in a test's message.
func (r *record) String() string {
	return fmt.Sprintf("%s of pid %v (span %s): %v", r.Event, r.Attributes["process.pid"], r.SpanID, r.Body)
}

// otlpTraces is OTLP's JSON of spans.
type otlpTraces struct {
	ResourceSpans []struct {
		Resource   struct{ Attributes []keyValue }
		ScopeSpans []struct {
			Spans []struct {
				TraceID, SpanID, ParentSpanID string
				Name                          string
				Kind                          int
				StartTimeUnixNano             unixNano
				EndTimeUnixNano               unixNano
				Attributes                    []keyValue
				Status                        struct{ Code int }
				Events                        []struct {
					Name         string
					TimeUnixNano unixNano
				}
				Links []spanContext
			}
		}
	}
}

// spans returns them, sorted by start.
func (t *otlpTraces) spans() []*span {
	var spans []*span
	for _, ofResource := range t.ResourceSpans {
		resource := toMap(ofResource.Resource.Attributes)
		for _, ofScope := range ofResource.ScopeSpans {
			for _, in := range ofScope.Spans {
				out := &span{
					TraceID: in.TraceID, SpanID: in.SpanID, ParentID: in.ParentSpanID,
					Name: in.Name, Kind: in.Kind, StatusCode: in.Status.Code,
					Start: time.Time(in.StartTimeUnixNano), End: time.Time(in.EndTimeUnixNano),
					Attributes: toMap(in.Attributes), Resource: resource, Links: in.Links,
				}
				for _, e := range in.Events {
					out.Events = append(out.Events, event{Name: e.Name, Time: time.Time(e.TimeUnixNano)})
				}
				spans = append(spans, out)
			}
		}
	}
	sortSpans(spans)
	return spans
}

// sortSpans sorts spans by start.
func sortSpans(spans []*span) {
	slices.SortFunc(spans, func(a, b *span) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.SpanID, b.SpanID))
	})
}

// otlpLogs is OTLP's JSON of log records.
type otlpLogs struct {
	ResourceLogs []struct {
		Resource  struct{ Attributes []keyValue }
		ScopeLogs []struct {
			LogRecords []struct {
				TraceID, SpanID string
				EventName       string
				TimeUnixNano    unixNano
				SeverityText    string
				SeverityNumber  int
				Body            anyValue
				Attributes      []keyValue
			}
		}
	}
}

// records returns them, as they come.
func (l *otlpLogs) records() []*record {
	var records []*record
	for _, ofResource := range l.ResourceLogs {
		resource := toMap(ofResource.Resource.Attributes)
		for _, ofScope := range ofResource.ScopeLogs {
			for _, in := range ofScope.LogRecords {
				records = append(records, &record{
					TraceID: in.TraceID, SpanID: in.SpanID,
					Event: in.EventName, Time: time.Time(in.TimeUnixNano),
					Severity: fmt.Sprintf("%s %d", in.SeverityText, in.SeverityNumber),
					Body:     in.Body.value(), Attributes: toMap(in.Attributes), Resource: resource,
				})
			}
		}
	}
	return records
}

// unixNano is an OTLP time: nanoseconds, in JSON a string of digits.
type unixNano time.Time

// UnmarshalJSON implements [json.Unmarshaler].
func (u *unixNano) UnmarshalJSON(text []byte) error {
	var digits string
	if err := json.Unmarshal(text, &digits); err != nil {
		return err
	}
	ns, err := strconv.ParseInt(digits, 10, 64)
	*u = unixNano(time.Unix(0, ns))
	return err
}

// keyValue is an OTLP attribute.
type keyValue struct {
	Key   string
	Value anyValue
}

// anyValue is an OTLP value; one of its fields is set.
type anyValue struct {
	StringValue *string
	BoolValue   *bool
	IntValue    *int64 `json:",string"`
	DoubleValue *float64
	ArrayValue  *struct{ Values []anyValue }
}

// value returns what is set, and nil for a type that procspan does not send.
func (v anyValue) value() any {
	switch {
	case v.StringValue != nil:
		return *v.StringValue
	case v.BoolValue != nil:
		return *v.BoolValue
	case v.IntValue != nil:
		return *v.IntValue
	case v.DoubleValue != nil:
		return *v.DoubleValue
	case v.ArrayValue != nil:
		list := []any{}
		for _, element := range v.ArrayValue.Values {
			list = append(list, element.value())
		}
		return list
	default:
		return nil
	}
}

// toMap returns a list of attributes by key.
func toMap(list []keyValue) attributes {
	m := make(attributes, len(list))
	for _, attribute := range list {
		m[attribute.Key] = attribute.Value.value()
	}
	return m
}

// stringList returns an attribute that is a list of strings.
func stringList(value any) (list []string, ok bool) {
	values, ok := value.([]any)
	if !ok {
		return nil, false
	}
	for _, element := range values {
		text, ok := element.(string)
		if !ok {
			return nil, false
		}
		list = append(list, text)
	}
	return list, true
}
