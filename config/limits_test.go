package config

import (
	"reflect"
	"testing"
)

func TestLimits(t *testing.T) {
	n := func(n int) *int { return &n }
	type limits struct {
		spans   SpanLimits
		records AttributeLimits
	}
	spans := func(length, count *int) SpanLimits {
		l := DefaultTraces().Limits
		l.AttributeLimits = AttributeLimits{length, count}
		return l
	}
	file := func(general, ofSpans, ofRecords string) string {
		const rest = "processors: [{batch: {exporter: {otlp_grpc: }}}]}\n"
		return "file_format: \"1.0\"\nattribute_limits: {" + general + "}\n" +
			"tracer_provider: {limits: {" + ofSpans + "}, " + rest + "logger_provider: {limits: {" + ofRecords + "}, " + rest
	}
	for _, tt := range []struct {
		name string
		file string
		vars map[string]string
		want limits
	}{
		{
			name: "none",
			file: file("", "", ""),
			want: limits{spans(nil, nil), AttributeLimits{}},
		}, {
			name: "general",
			file: file("attribute_value_length_limit: 10, attribute_count_limit: 20", "", ""),
			vars: map[string]string{"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "10", "OTEL_ATTRIBUTE_COUNT_LIMIT": "20"},
			want: limits{spans(n(10), n(20)), AttributeLimits{n(10), n(20)}},
		}, {
			name: "a signal's own win, even 0",
			file: file("attribute_value_length_limit: 10, attribute_count_limit: 20", "attribute_value_length_limit: 0", "attribute_count_limit: 0"),
			vars: map[string]string{
				"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "10", "OTEL_ATTRIBUTE_COUNT_LIMIT": "20",
				"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "0", "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": "0",
			},
			want: limits{spans(n(0), n(20)), AttributeLimits{n(10), n(0)}},
		}, {
			name: "of spans alone",
			file: file("", "event_count_limit: 1, link_count_limit: 2, event_attribute_count_limit: 3, link_attribute_count_limit: 4", ""),
			vars: map[string]string{
				"OTEL_SPAN_EVENT_COUNT_LIMIT": "1", "OTEL_SPAN_LINK_COUNT_LIMIT": "2",
				"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": "3", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": "4",
			},
			want: limits{SpanLimits{AttributeLimits{}, 1, 2, 3, 4}, AttributeLimits{}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vars := map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp"}
			for name, value := range tt.vars {
				vars[name] = value
			}
			fromVariables, ignored, err := FromEnvironment(lookup(vars))
			if err != nil || len(ignored) > 0 {
				t.Fatal(ignored, err)
			}
			for source, c := range map[string]Config{"file": mustParse(t, tt.file, nil), "variables": fromVariables} {
				if got := (limits{c.Traces.Limits, c.Logs.Limits}); !reflect.DeepEqual(got, tt.want) {
					t.Errorf("by %s:\n got %s", source, c.YAML())
				}
				checkReparses(t, c)
			}
		})
	}
}
