package config

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

func TestSecretNeverPrints(t *testing.T) {
	const value = "hunter2"
	traces := DefaultTraces()
	traces.Pipelines[0].Exporter.OTLPGRPC.Headers = []Header{{Name: "authorization", Value: NewSecret(value)}}
	logs := Logs{Pipelines: traces.Pipelines}
	c := Default()
	metrics := DefaultMetrics()
	metrics.Periodic.Exporter = Exporter{OTLPGRPC: traces.Pipelines[0].Exporter.OTLPGRPC}
	c.Traces, c.Logs, c.Metrics = &traces, &logs, &metrics
	s := NewSecret(value)

	printed := map[string]string{"YAML": string(c.YAML())}
	for _, v := range []any{s, &s, []Secret{s}, map[string]Secret{"a": s}, traces.Pipelines[0].Exporter.OTLPGRPC.Headers[0], traces.Pipelines[0].Exporter.OTLPGRPC, traces, logs, metrics, *metrics.Periodic, c, &c,
		struct{ C *Config }{&c}, struct{ E *OTLPGRPC }{traces.Pipelines[0].Exporter.OTLPGRPC}, []*Header{&traces.Pipelines[0].Exporter.OTLPGRPC.Headers[0]}, []*Traces{&traces}, []*Logs{&logs}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s", "%T"} {
			printed[fmt.Sprintf("%s of %T", verb, v)] = fmt.Sprintf(verb, v)
		}
		printed[fmt.Sprintf("Println of %T", v)] = fmt.Sprintln(v)
		if b, err := json.Marshal(v); err == nil {
			printed[fmt.Sprintf("JSON of %T", v)] = string(b)
		}
		if b, err := xml.Marshal(v); err == nil {
			printed[fmt.Sprintf("XML of %T", v)] = string(b)
		}
		b, err := yaml.Marshal(v)
		if err != nil {
			t.Errorf("YAML of %T: %v", v, err)
		}
		printed[fmt.Sprintf("YAML of %T", v)] = string(b)
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		printed[fmt.Sprintf("slog of %T", v)] = log.String()
	}
	printed["error"] = fmt.Errorf("send: %w", errors.New(fmt.Sprint(s))).Error()
	hex := fmt.Sprintf("%x", value)
	for how, text := range printed {
		low := strings.ToLower(text)
		if strings.Contains(low, value) || strings.Contains(low, hex) {
			t.Errorf("%s prints the secret: %s", how, text)
		}
	}
	for _, how := range []string{"%v of config.Secret", "%#v of config.Header", "JSON of config.Config", "YAML", "slog of config.Secret", "%s of config.Config", "%s of struct { C *config.Config }"} {
		if !strings.Contains(printed[how], "redacted") {
			t.Errorf("%s = %q, want <redacted> in it", how, printed[how])
		}
	}
	if s.Reveal() != value {
		t.Errorf("Reveal() = %q", s.Reveal())
	}
}

// TestErrorsNeverQuoteSecrets breaks what stands around a secret in many ways.
func TestErrorsNeverQuoteSecrets(t *testing.T) {
	const secret = "hunter2"
	for _, lines := range [][]string{
		{"headers: [{name: authorization, value: [" + secret + "]}]"},
		{"headers: [{name: authorization, value: {a: " + secret + "}}]"},
		{"headers: [" + secret + "]"},
		{"headers: " + secret},
		{"headers: {authorization: " + secret + "}"},
		{"headers: [[" + secret + "]]"},
		{"headers: [{name: a, value: *" + secret + "}]"},
		{"headers: [{name: a, value: &" + secret + "}]"},
		{"headers: [{name: a, value: !" + secret + "}]"},
		{"headers: [{name: a, value: !" + secret + "!x y}]"},
		{"headers: [{name: a, value: @" + secret + "}]"},
		{"headers: [{name: a, value: \"" + secret + "}]"},
		{"headers: [{name: a, value: \"" + secret + "\\q\"}]"},
		{"headers: [{name: a, value: \"" + secret + "\\x01\"}]"},
		{"headers: [{name: a, value: \"${" + secret + ":?}\"}]"},
		{"headers: [{name: a, value: " + secret + ", value: " + secret + "}]"},
		{"headers: [{name: a, vlaue: " + secret + "}]"},
		{"headers:", "  - name: a", "    value: " + secret + ": x"},
		{"headers_list: " + secret},
		{"headers_list: a=%" + secret},
		{"headers_list: [" + secret + "]"},
		{"headers_list: " + secret + "=x," + secret},
		{"headers_list: te=" + secret},
		{"headers_list: a=${" + secret + "!}"},
		{"endpoint: http://me:" + secret + "@localhost"},
		{"endpoint: me:" + secret + "@localhost:4317"},
		{"endpoint: http://me:" + secret + "/@localhost"},
		{"endpoint: " + secret + "://me@localhost"},
		{"endpoint: http://localhost/" + secret},
		{"endpoint: http://localhost?" + secret},
		{"endpoint: http://localhost#" + secret},
		{"endpoint: unix:" + secret},
		{"endpoint: [" + secret + "]"},
	} {
		for _, provider := range []string{"tracer_provider", "logger_provider", "meter_provider"} {
			file := strings.Replace(around(lines...), "tracer_provider", provider, 1)
			if provider == "meter_provider" {
				file = strings.NewReplacer("processors:", "readers:", "batch:", "periodic:").Replace(file)
			}
			for _, exporter := range []string{"otlp_grpc", "otlp_http"} {
				_, err := Parse("x.yml", []byte(strings.Replace(file, "otlp_grpc", exporter, 1)), lookup(nil))
				// A URL can have a path and a query.
				if allowed := exporter == "otlp_http" && strings.Contains(lines[0], "//localhost"); err == nil && !allowed {
					t.Errorf("no error for %s of %s", lines, exporter)
				}
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("for %s of %s the error quotes it: %v", lines, exporter, err)
				}
			}
		}
	}
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_HEADERS":         "authorization " + secret,
		"OTEL_EXPORTER_OTLP_TRACES_HEADERS":  "a=b," + secret + "=%0A" + secret,
		"OTEL_EXPORTER_OTLP_ENDPOINT":        "https://me:" + secret + "@localhost",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "me:" + secret + "@localhost",
		"OTEL_EXPORTER_OTLP_LOGS_HEADERS":    "authorization " + secret,
		"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT":   "me:" + secret + "@localhost",
		"OTEL_EXPORTER_OTLP_METRICS_HEADERS": "authorization " + secret,
	} {
		_, ignored, err := FromEnvironment(lookup(map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp", name: value}))
		if err == nil || strings.Contains(fmt.Sprint(ignored, err), secret) {
			t.Errorf("%s: %v, %v", name, ignored, err)
		}
	}
}
