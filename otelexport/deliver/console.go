package deliver

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// console returns a formatter of lines for people: a time, what it is, its name, and
// key=value. Text of processes is quoted where it is not plain.
func console(s Signal) func(to []byte, parts []Part) ([]byte, error) {
	return func(to []byte, parts []Part) ([]byte, error) {
		for _, p := range parts {
			var of tracepb.ResourceSpans // as that of log records: see envelope
			if err := proto.Unmarshal(p.Resource, &of); err != nil {
				return to, err
			}
			service := serviceName(of.Resource)
			if s == LogRecords {
				var logs logspb.ScopeLogs
				if err := proto.Unmarshal(p.Items, &logs); err != nil {
					return to, err
				}
				for _, r := range logs.LogRecords {
					to = appendRecordLine(to, r, service)
				}
				continue
			}
			var spans tracepb.ScopeSpans
			if err := proto.Unmarshal(p.Items, &spans); err != nil {
				return to, err
			}
			for _, span := range spans.Spans {
				to = appendSpanLine(to, span, service)
			}
		}
		return to, nil
	}
}

func serviceName(r *resourcepb.Resource) string {
	for _, a := range r.GetAttributes() {
		if a.Key == "service.name" {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

func appendSpanLine(to []byte, s *tracepb.Span, service string) []byte {
	to = append(appendTime(to, s.StartTimeUnixNano), " span "...)
	to = appendText(to, s.Name)
	to = append(append(to, ' '), time.Duration(s.EndTimeUnixNano-s.StartTimeUnixNano).String()...)
	if s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR {
		to = appendField(to, "status", "error")
	}
	to = appendIDs(to, s.TraceId, s.SpanId)
	if len(s.ParentSpanId) > 0 {
		to = appendField(to, "parent_span_id", hex.EncodeToString(s.ParentSpanId))
	}
	to = appendAttributes(appendField(to, "service.name", service), s.Attributes)
	for _, e := range s.Events {
		to = appendField(to, "event", e.Name)
	}
	return append(to, '\n')
}

func appendRecordLine(to []byte, r *logspb.LogRecord, service string) []byte {
	to = append(appendTime(to, r.TimeUnixNano), " log "...)
	to = appendText(to, r.EventName)
	to = append(append(to, ' '), r.SeverityText...)
	to = appendIDs(appendField(to, "body", valueText(r.Body)), r.TraceId, r.SpanId)
	return append(appendAttributes(appendField(to, "service.name", service), r.Attributes), '\n')
}

func appendTime(to []byte, unixNano uint64) []byte {
	return time.Unix(0, int64(unixNano)).UTC().AppendFormat(to, "2006-01-02T15:04:05.000000Z")
}

func appendIDs(to, trace, span []byte) []byte {
	if len(trace) > 0 {
		to = appendField(to, "trace_id", hex.EncodeToString(trace))
	}
	if len(span) > 0 {
		to = appendField(to, "span_id", hex.EncodeToString(span))
	}
	return to
}

func appendAttributes(to []byte, all []*commonpb.KeyValue) []byte {
	for _, a := range all {
		to = appendField(to, a.Key, valueText(a.Value))
	}
	return to
}

func appendField(to []byte, key, value string) []byte {
	to = append(appendText(append(to, ' '), key), '=')
	return appendText(to, value)
}

// appendText appends a text, in quotes if it is empty or has anything that could be
// taken for more than text: a space, a control character, quotes.
func appendText(to []byte, text string) []byte {
	plain := func(r rune) bool { return r != '"' && r != '=' && r != '\\' && r != ' ' && unicode.IsPrint(r) }
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return append(to, text...)
	}
	return strconv.AppendQuote(to, text)
}

func valueText(v *commonpb.AnyValue) string {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return v.StringValue
	case *commonpb.AnyValue_IntValue:
		return strconv.FormatInt(v.IntValue, 10)
	case *commonpb.AnyValue_DoubleValue:
		return strconv.FormatFloat(v.DoubleValue, 'g', -1, 64)
	case *commonpb.AnyValue_BoolValue:
		return strconv.FormatBool(v.BoolValue)
	case *commonpb.AnyValue_ArrayValue:
		texts := make([]string, len(v.ArrayValue.Values))
		for i, item := range v.ArrayValue.Values {
			texts[i] = string(appendText(nil, valueText(item)))
		}
		return "[" + strings.Join(texts, " ") + "]"
	case *commonpb.AnyValue_BytesValue:
		return hex.EncodeToString(v.BytesValue)
	}
	return ""
}
