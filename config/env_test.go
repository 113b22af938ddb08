package config

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestFromEnvironment(t *testing.T) {
	type vars = map[string]string
	with := func(change func(*Config, *Traces)) Config {
		c, traces := Default(), DefaultTraces()
		c.Traces = &traces
		change(&c, c.Traces)
		return c
	}
	exporter := with(func(*Config, *Traces) {})
	withLogs := func(change func(*Logs)) Config {
		c, logs := Default(), DefaultLogs()
		c.Logs = &logs
		change(&logs)
		return c
	}
	withMetrics := func(change func(*Metrics)) Config {
		c, metrics := Default(), DefaultMetrics()
		c.Metrics = &metrics
		change(&metrics)
		return c
	}
	type test struct {
		vars vars
		want Config
	}
	sampler := func(name, arg string, want Sampler) test {
		return test{
			vars{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": arg},
			with(func(_ *Config, tr *Traces) { tr.Sampler = want }),
		}
	}
	for name, tt := range map[string]test{
		"nothing":            {nil, Default()},
		"empty is unset":     {vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_TRACES_EXPORTER": "", "OTEL_TRACES_SAMPLER": "", "OTEL_SDK_DISABLED": ""}, Default()},
		"endpoint":           {vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4317"}, exporter},
		"traces endpoint":    {vars{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost"}, exporter},
		"exporter otlp":      {vars{"OTEL_TRACES_EXPORTER": "otlp"}, exporter},
		"exporter none":      {vars{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost"}, Default()},
		"exporter console":   {vars{"OTEL_TRACES_EXPORTER": "console", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost"}, Default()},
		"unused is not read": {vars{"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_TIMEOUT": "x"}, Default()},
		"sampler alone":      {vars{"OTEL_TRACES_SAMPLER": "always_off"}, Default()},
		"not disabled":       {vars{"OTEL_SDK_DISABLED": "False"}, Default()},
		"without scheme": {vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:1"}, with(func(_ *Config, tr *Traces) {
			tr.Exporter.Target, tr.Exporter.Insecure = "collector:1", false
		})},
		"insecure": {vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:1", "OTEL_EXPORTER_OTLP_INSECURE": "TRUE"}, with(func(_ *Config, tr *Traces) {
			tr.Exporter.Target = "collector:1"
		})},
		"scheme wins": {vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector:1", "OTEL_EXPORTER_OTLP_INSECURE": "true"}, with(func(_ *Config, tr *Traces) {
			tr.Exporter.Target, tr.Exporter.Insecure = "collector:1", false
		})},
		"resource": {vars{"OTEL_RESOURCE_ATTRIBUTES": "a=1, service.name=lost ,b%3D=%20x", "OTEL_SERVICE_NAME": "won"}, func() Config {
			c := Default()
			c.Resource.Attributes = []Attribute{{"a", "1"}, {"b=", " x"}, {"service.name", "won"}}
			c.ServiceName = ServiceNameFixed
			return c
		}()},
		"unit": {vars{"OTEL_RESOURCE_ATTRIBUTES": "service.name=", "OTEL_SERVICE_NAME": ""}, func() Config {
			c := Default()
			c.Resource.Attributes = []Attribute{{"service.name", ""}}
			return c
		}()},
		"logs": {vars{"OTEL_LOGS_EXPORTER": "otlp"}, withLogs(func(*Logs) {})},
		"logs endpoint": {vars{"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "https://c"}, withLogs(func(l *Logs) {
			l.Exporter.Target, l.Exporter.Insecure = "c:4317", false
		})},
		"logs none":              {vars{"OTEL_LOGS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "https://c"}, Default()},
		"logs console":           {vars{"OTEL_LOGS_EXPORTER": "console", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "https://c"}, Default()},
		"unused logs":            {vars{"OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "x", "OTEL_BLRP_MAX_QUEUE_SIZE": "x"}, Default()},
		"traces and unused logs": {vars{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "x"}, exporter},
		"logs win": {vars{
			"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "https://c",
			"OTEL_EXPORTER_OTLP_HEADERS":       "bad", "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "a=b",
			"OTEL_EXPORTER_OTLP_COMPRESSION": "bad", "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION": "gzip",
			"OTEL_EXPORTER_OTLP_TIMEOUT": "bad", "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "7",
			"OTEL_EXPORTER_OTLP_PROTOCOL": "bad", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc",
			"OTEL_EXPORTER_OTLP_INSECURE": "bad", "OTEL_EXPORTER_OTLP_LOGS_INSECURE": "true",
			"OTEL_EXPORTER_OTLP_CERTIFICATE": "ca", "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE": "ca2",
			"OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE": "cert", "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY": "key",
			"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "bad bad", "OTEL_TRACES_EXPORTER": "none",
			"OTEL_BLRP_SCHEDULE_DELAY": "1", "OTEL_BLRP_EXPORT_TIMEOUT": "2",
			"OTEL_BLRP_MAX_QUEUE_SIZE": "4", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "3", "OTEL_BSP_MAX_QUEUE_SIZE": "bad",
		}, withLogs(func(l *Logs) {
			l.Batch = Batch{ScheduleDelay: time.Millisecond, ExportTimeout: 2 * time.Millisecond, MaxQueueSize: 4, MaxExportBatchSize: 3}
			l.Exporter = OTLPGRPC{Target: "c:4317", TLS: TLS{CAFile: "ca2", CertFile: "cert", KeyFile: "key"},
				Headers: []Header{{"a", "b"}}, Compression: "gzip", Timeout: 7 * time.Millisecond}
		})},
		"logs like traces": {vars{
			"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_LOGS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_HEADERS": "a=b",
			"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "7",
		}, func() Config {
			logs := DefaultLogs()
			logs.Exporter.Target, logs.Exporter.Headers = "c:4317", []Header{{"a", "b"}}
			c := with(func(_ *Config, tr *Traces) {
				tr.Exporter = logs.Exporter
				tr.Exporter.Timeout = 7 * time.Millisecond
			})
			c.Logs = &logs
			return c
		}()},
		"metrics none":     {vars{"OTEL_METRICS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "https://c"}, Default()},
		"metrics unasked":  {vars{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "https://c", "OTEL_EXPORTER_PROMETHEUS_PORT": "1"}, Default()},
		"metrics together": {vars{"OTEL_METRICS_EXPORTER": "prometheus, otlp"}, withMetrics(func(*Metrics) {})},
		"metrics fetched": {vars{
			"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_HOST": "::", "OTEL_EXPORTER_PROMETHEUS_PORT": "0",
			"OTEL_METRIC_EXPORT_INTERVAL": "bad",
		}, withMetrics(func(m *Metrics) {
			m.Periodic, m.Prometheus = nil, &Prometheus{Host: "::"}
		})},
		"metrics sent": {vars{
			"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "5000", "OTEL_METRIC_EXPORT_TIMEOUT": "1",
			"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "https://c", "OTEL_EXPORTER_OTLP_HEADERS": "a=b", "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": "7",
			"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "LowMemory", "OTEL_EXPORTER_PROMETHEUS_PORT": "bad",
		}, withMetrics(func(m *Metrics) {
			m.Prometheus = nil
			m.Periodic.Interval, m.Periodic.Timeout, m.Periodic.Temporality = 5*time.Second, time.Millisecond, LowMemory
			m.Periodic.Exporter = OTLPGRPC{Target: "c:4317", Headers: []Header{{"a", "b"}}, Compression: "none", Timeout: 7 * time.Millisecond}
		})},
		"general": {vars{
			"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c", "OTEL_EXPORTER_OTLP_HEADERS": "A=b%20c,d=e,a=f",
			"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_EXPORTER_OTLP_TIMEOUT": "5",
			"OTEL_EXPORTER_OTLP_CERTIFICATE": "ca", "OTEL_EXPORTER_OTLP_CLIENT_KEY": "key",
			"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "cert", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
		}, with(func(_ *Config, tr *Traces) {
			tr.Exporter = OTLPGRPC{Target: "c:4317", TLS: TLS{CAFile: "ca", CertFile: "cert", KeyFile: "key"},
				Headers: []Header{{"d", "e"}, {"a", "f"}}, Compression: "gzip", Timeout: 5 * time.Millisecond}
		})},
		"traces win": {vars{
			"OTEL_EXPORTER_OTLP_ENDPOINT": "bad bad", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c",
			"OTEL_EXPORTER_OTLP_HEADERS": "bad", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "a=b",
			"OTEL_EXPORTER_OTLP_COMPRESSION": "bad", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "none",
			"OTEL_EXPORTER_OTLP_TIMEOUT": "bad", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "7",
			"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
			"OTEL_EXPORTER_OTLP_CERTIFICATE": "ca", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": "ca2",
		}, with(func(_ *Config, tr *Traces) {
			tr.Exporter = OTLPGRPC{Target: "c:4317", TLS: TLS{CAFile: "ca2"}, Headers: []Header{{"a", "b"}},
				Compression: "none", Timeout: 7 * time.Millisecond}
		})},
		"batch": {vars{
			"OTEL_TRACES_EXPORTER": "otlp", "OTEL_BSP_SCHEDULE_DELAY": "0", "OTEL_BSP_EXPORT_TIMEOUT": "1",
			"OTEL_BSP_MAX_QUEUE_SIZE": "3", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "2",
		}, with(func(_ *Config, tr *Traces) {
			tr.Batch = Batch{ExportTimeout: time.Millisecond, MaxQueueSize: 3, MaxExportBatchSize: 2}
		})},
		"always on":             sampler("always_on", "", Sampler{1, 1, 1}),
		"always off":            sampler("always_off", "", Sampler{}),
		"ratio":                 sampler("traceidratio", "0.25", Sampler{.25, .25, .25}),
		"ratio alone":           sampler("traceidratio", "", Sampler{1, 1, 1}),
		"parent based on":       sampler("parentbased_always_on", "", Sampler{1, 1, 0}),
		"parent based off":      sampler("parentbased_always_off", "", Sampler{0, 1, 0}),
		"parent based ratio":    sampler("parentbased_traceidratio", " 1e-3 ", Sampler{.001, 1, 0}),
		"unused ratio":          sampler("always_on", "x", Sampler{1, 1, 1}),
		"ratio without sampler": sampler("", "0.5", Sampler{1, 1, 0}),
		"ratio minus zero":      sampler("parentbased_traceidratio", "-0", Sampler{0, 1, 0}),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := FromEnvironment(lookup(tt.vars))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got:\n%s\nwant:\n%s", got.YAML(), tt.want.YAML())
			}
			checkReparses(t, got)
		})
	}
}

func TestFromEnvironmentProblems(t *testing.T) {
	for name, vars := range map[string]map[string]string{
		"all at once": {
			"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_SAMPLER": "jaeger_remote", "OTEL_RESOURCE_ATTRIBUTES": "a,b=%",
			"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h/v1/traces", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
			"OTEL_EXPORTER_OTLP_HEADERS": "s3cret", "OTEL_EXPORTER_OTLP_COMPRESSION": "zstd",
			"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "10s", "OTEL_EXPORTER_OTLP_INSECURE": "1",
			"OTEL_BSP_SCHEDULE_DELAY": "-1", "OTEL_BSP_EXPORT_TIMEOUT": "0", "OTEL_BSP_MAX_QUEUE_SIZE": "0",
			"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "65537",
		},
		"sampler":        {"OTEL_TRACES_SAMPLER": "xray", "OTEL_TRACES_SAMPLER_ARG": "x"},
		"ratio too high": {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1.01"},
		"ratio too low":  {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "-0.1"},
		"ratio NaN":      {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "NaN"},
		"ratio percent":  {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "25%"},
		"exporter":       {"OTEL_TRACES_EXPORTER": "zipkin"},
		"two exporters":  {"OTEL_TRACES_EXPORTER": "otlp,console"},
		"logs": {
			"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://h/v1/logs", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/json",
			"OTEL_EXPORTER_OTLP_LOGS_HEADERS": "s3cret", "OTEL_BLRP_MAX_QUEUE_SIZE": "10", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "11",
		},
		"said once":     {"OTEL_LOGS_EXPORTER": "otlp", "OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_TIMEOUT": "10s"},
		"logs exporter": {"OTEL_LOGS_EXPORTER": "otlp_proto_grpc"},
		"metrics": {
			"OTEL_METRICS_EXPORTER": "otlp,prometheus", "OTEL_METRIC_EXPORT_INTERVAL": "99", "OTEL_METRIC_EXPORT_TIMEOUT": "0",
			"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "low_memory",
			"OTEL_EXPORTER_PROMETHEUS_HOST": "[::]", "OTEL_EXPORTER_PROMETHEUS_PORT": "65536",
		},
		"metrics exporter": {"OTEL_METRICS_EXPORTER": "otlp,console"},
		"disabled":         {"OTEL_SDK_DISABLED": "yes"},
		"plain with TLS":   {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h", "OTEL_EXPORTER_OTLP_CERTIFICATE": "ca", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY": "key"},
		"half a pair":      {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://h", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "cert"},
		"not UTF-8":        {"OTEL_SERVICE_NAME": "\xff"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := FromEnvironment(lookup(vars))
			var invalid *Invalid
			if !errors.As(err, &invalid) || !reflect.DeepEqual(c, Config{}) {
				t.Fatalf("FromEnvironment = %+v, %v", c, err)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error quotes a secret: %v", err)
			}
			golden(t, "testdata/env-"+strings.ReplaceAll(name, " ", "-")+".err", err.Error()+"\n")
		})
	}
}
