package config

import (
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
		"nothing":         {nil, Default()},
		"empty is unset":  {vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_TRACES_EXPORTER": "", "OTEL_TRACES_SAMPLER": "", "OTEL_SDK_DISABLED": ""}, Default()},
		"endpoint":        {vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4317"}, exporter},
		"traces endpoint": {vars{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost"}, exporter},
		"exporter otlp":   {vars{"OTEL_TRACES_EXPORTER": "otlp"}, exporter},
		"exporters": {vars{"OTEL_TRACES_EXPORTER": "Console, otlp,none, otlp/stdout,otlp"}, with(func(_ *Config, tr *Traces) {
			console, stdout := defaultPipeline(), defaultPipeline()
			console.Exporter, stdout.Exporter = Exporter{Console: &Console{}}, Exporter{File: &File{Path: Stdout}}
			tr.Pipelines = []Pipeline{console, tr.Pipelines[0], stdout}
		})},
		"exporter none": {vars{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost"}, Default()},
		"exporter console": {vars{"OTEL_TRACES_EXPORTER": "console", "OTEL_EXPORTER_OTLP_ENDPOINT": "bad bad", "OTEL_BSP_SCHEDULE_DELAY": "7"}, with(func(_ *Config, tr *Traces) {
			tr.Pipelines[0].Exporter, tr.Pipelines[0].Batch.ScheduleDelay = Exporter{Console: &Console{}}, 7*time.Millisecond
		})},
		"unused is not read": {vars{"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_TIMEOUT": "x"}, Default()},
		"sampler alone":      {vars{"OTEL_TRACES_SAMPLER": "always_off"}, Default()},
		"not disabled":       {vars{"OTEL_SDK_DISABLED": "False"}, Default()},
		"without scheme": {vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:1"}, with(func(_ *Config, tr *Traces) {
			tr.Pipelines[0].Exporter.OTLPGRPC.Target, tr.Pipelines[0].Exporter.OTLPGRPC.Insecure = "collector:1", false
		})},
		"insecure": {vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:1", "OTEL_EXPORTER_OTLP_INSECURE": "TRUE"}, with(func(_ *Config, tr *Traces) {
			tr.Pipelines[0].Exporter.OTLPGRPC.Target = "collector:1"
		})},
		"scheme wins": {vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector:1", "OTEL_EXPORTER_OTLP_INSECURE": "true"}, with(func(_ *Config, tr *Traces) {
			tr.Pipelines[0].Exporter.OTLPGRPC.Target, tr.Pipelines[0].Exporter.OTLPGRPC.Insecure = "collector:1", false
		})},
		"resource": {vars{"OTEL_RESOURCE_ATTRIBUTES": "a=1, service.name=lost ,b%3D=%20x", "OTEL_SERVICE_NAME": "won"}, func() Config {
			c := Default()
			c.Resource.Attributes = []Attribute{{Name: "a", Value: "1"}, {Name: "b=", Value: " x"}, {Name: "service.name", Value: "won"}}
			c.ServiceName = ServiceNameFixed
			return c
		}()},
		"unit": {vars{"OTEL_RESOURCE_ATTRIBUTES": "service.name=", "OTEL_SERVICE_NAME": ""}, func() Config {
			c := Default()
			c.Resource.Attributes = []Attribute{{Name: "service.name", Value: ""}}
			return c
		}()},
		"logs": {vars{"OTEL_LOGS_EXPORTER": "otlp"}, withLogs(func(*Logs) {})},
		"logs endpoint": {vars{"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "https://c"}, withLogs(func(l *Logs) {
			l.Pipelines[0].Exporter.OTLPGRPC.Target, l.Pipelines[0].Exporter.OTLPGRPC.Insecure = "c:4317", false
		})},
		"logs none": {vars{"OTEL_LOGS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "https://c"}, Default()},
		"logs console": {vars{"OTEL_LOGS_EXPORTER": "console", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "https://c"}, func() Config {
			c, l := Default(), DefaultLogs()
			l.Pipelines[0].Exporter = Exporter{Console: &Console{}}
			c.Logs = &l
			return c
		}()},
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
			l.Pipelines[0].Batch = Batch{ScheduleDelay: time.Millisecond, ExportTimeout: 2 * time.Millisecond, MaxQueueSize: 4, MaxExportBatchSize: 3}
			*l.Pipelines[0].Exporter.OTLPGRPC = OTLPGRPC{Target: "c:4317", OTLP: OTLP{TLS: TLS{CAFile: "ca2", CertFile: "cert", KeyFile: "key"},
				Headers: []Header{{"a", NewSecret("b")}}, Compression: "gzip", Timeout: 7 * time.Millisecond}}
		})},
		"logs like traces": {vars{
			"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_LOGS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_HEADERS": "a=b",
			"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "7",
		}, func() Config {
			logs := DefaultLogs()
			logs.Pipelines[0].Exporter.OTLPGRPC.Target, logs.Pipelines[0].Exporter.OTLPGRPC.Headers = "c:4317", []Header{{"a", NewSecret("b")}}
			c := with(func(_ *Config, tr *Traces) {
				*tr.Pipelines[0].Exporter.OTLPGRPC = *logs.Pipelines[0].Exporter.OTLPGRPC
				tr.Pipelines[0].Exporter.OTLPGRPC.Timeout = 7 * time.Millisecond
			})
			c.Logs = &logs
			return c
		}()},
		"metrics none":     {vars{"OTEL_METRICS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "https://c"}, Default()},
		"metrics unasked":  {vars{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "https://c", "OTEL_EXPORTER_PROMETHEUS_PORT": "1"}, Default()},
		"metrics together": {vars{"OTEL_METRICS_EXPORTER": "prometheus, otlp"}, withMetrics(func(*Metrics) {})},
		"metrics to the console": {vars{"OTEL_METRICS_EXPORTER": "console, prometheus", "OTEL_METRIC_EXPORT_INTERVAL": "5000"}, withMetrics(func(m *Metrics) {
			m.Periodic.Interval, m.Periodic.Exporter = 5*time.Second, Exporter{Console: &Console{}}
		})},
		"metrics to stdout": {vars{"OTEL_METRICS_EXPORTER": "otlp/stdout,otlp/stdout"}, withMetrics(func(m *Metrics) {
			m.Prometheus, m.Periodic.Exporter = nil, Exporter{File: &File{Path: Stdout}}
		})},
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
			*m.Periodic.Exporter.OTLPGRPC = OTLPGRPC{Target: "c:4317", OTLP: OTLP{Headers: []Header{{"a", NewSecret("b")}}, Compression: "none", Timeout: 7 * time.Millisecond}}
		})},
		"general": {vars{
			"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c", "OTEL_EXPORTER_OTLP_HEADERS": "A=b%20c,d=e,a=f",
			"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_EXPORTER_OTLP_TIMEOUT": "5",
			"OTEL_EXPORTER_OTLP_CERTIFICATE": "ca", "OTEL_EXPORTER_OTLP_CLIENT_KEY": "key",
			"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "cert", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
		}, with(func(_ *Config, tr *Traces) {
			*tr.Pipelines[0].Exporter.OTLPGRPC = OTLPGRPC{Target: "c:4317", OTLP: OTLP{TLS: TLS{CAFile: "ca", CertFile: "cert", KeyFile: "key"},
				Headers: []Header{{"d", NewSecret("e")}, {"a", NewSecret("f")}}, Compression: "gzip", Timeout: 5 * time.Millisecond}}
		})},
		"traces win": {vars{
			"OTEL_EXPORTER_OTLP_ENDPOINT": "bad bad", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c",
			"OTEL_EXPORTER_OTLP_HEADERS": "bad", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "a=b",
			"OTEL_EXPORTER_OTLP_COMPRESSION": "bad", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "none",
			"OTEL_EXPORTER_OTLP_TIMEOUT": "bad", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "7",
			"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
			"OTEL_EXPORTER_OTLP_CERTIFICATE": "ca", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": "ca2",
		}, with(func(_ *Config, tr *Traces) {
			*tr.Pipelines[0].Exporter.OTLPGRPC = OTLPGRPC{Target: "c:4317", OTLP: OTLP{TLS: TLS{CAFile: "ca2"}, Headers: []Header{{"a", NewSecret("b")}},
				Compression: "none", Timeout: 7 * time.Millisecond}}
		})},
		"HTTP": {vars{
			"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c:4318/base/", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_LOGS_EXPORTER": "otlp",
			"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://l", "OTEL_EXPORTER_OTLP_HEADERS": "a=b", "OTEL_EXPORTER_OTLP_COMPRESSION": "zstd",
			"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "unix:///run/otel.sock",
		}, func() Config {
			common := OTLP{Headers: []Header{{"a", NewSecret("b")}}, Compression: "zstd", Timeout: 10 * time.Second}
			plain := common
			plain.Insecure = true
			c := with(func(_ *Config, tr *Traces) {
				tr.Pipelines[0].Exporter = Exporter{OTLPHTTP: &OTLPHTTP{URL: "https://c:4318/base/v1/traces", OTLP: common}}
			})
			logs, metrics := DefaultLogs(), DefaultMetrics()
			logs.Pipelines[0].Exporter = Exporter{OTLPHTTP: &OTLPHTTP{URL: "http://l/", OTLP: plain}}
			metrics.Periodic.Exporter = Exporter{OTLPGRPC: &OTLPGRPC{Target: "unix:/run/otel.sock", OTLP: plain}}
			metrics.Prometheus = nil
			c.Logs, c.Metrics = &logs, &metrics
			return c
		}()},
		"HTTP by default": {vars{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, with(func(_ *Config, tr *Traces) {
			tr.Pipelines[0].Exporter = Exporter{OTLPHTTP: &OTLPHTTP{URL: "http://localhost:4318/v1/traces", OTLP: defaultOTLP()}}
		})},
		"HTTP over a socket": {vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "unix:/run/otel.sock", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, with(func(_ *Config, tr *Traces) {
			tr.Pipelines[0].Exporter = Exporter{OTLPHTTP: &OTLPHTTP{URL: "http://localhost/v1/traces", Socket: "/run/otel.sock", OTLP: defaultOTLP()}}
		})},
		"batch": {vars{
			"OTEL_TRACES_EXPORTER": "otlp", "OTEL_BSP_SCHEDULE_DELAY": "0", "OTEL_BSP_EXPORT_TIMEOUT": "1",
			"OTEL_BSP_MAX_QUEUE_SIZE": "3", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "2",
		}, with(func(_ *Config, tr *Traces) {
			tr.Pipelines[0].Batch = Batch{ExportTimeout: time.Millisecond, MaxQueueSize: 3, MaxExportBatchSize: 2}
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
			got, ignored, err := FromEnvironment(lookup(tt.vars))
			if err != nil || len(ignored) > 0 {
				t.Fatal(ignored, err)
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
			"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h/v1/traces", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/json", "OTEL_LOGS_EXPORTER": "otlp",
			"OTEL_EXPORTER_OTLP_HEADERS": "s3cret", "OTEL_EXPORTER_OTLP_COMPRESSION": "br",
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
		"two exporters":  {"OTEL_TRACES_EXPORTER": "otlp,zipkin"},
		"logs": {
			"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://h/v1/logs", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/json",
			"OTEL_EXPORTER_OTLP_LOGS_HEADERS": "s3cret", "OTEL_BLRP_MAX_QUEUE_SIZE": "10", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "11",
		},
		"said once":     {"OTEL_LOGS_EXPORTER": "otlp", "OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_TIMEOUT": "10s"},
		"logs exporter": {"OTEL_LOGS_EXPORTER": "otlp_proto_grpc"},
		"metrics": {
			"OTEL_METRICS_EXPORTER": "otlp,prometheus", "OTEL_METRIC_EXPORT_INTERVAL": "99", "OTEL_METRIC_EXPORT_TIMEOUT": "0",
			"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "ftp://h", "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "low_memory",
			"OTEL_EXPORTER_PROMETHEUS_HOST": "[::]", "OTEL_EXPORTER_PROMETHEUS_PORT": "65536",
		},
		"metrics exporter":  {"OTEL_METRICS_EXPORTER": "otlp,statsd"},
		"metrics exporters": {"OTEL_METRICS_EXPORTER": "console,prometheus,otlp"},
		"disabled":          {"OTEL_SDK_DISABLED": "yes"},
		"plain with TLS":    {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h", "OTEL_EXPORTER_OTLP_CERTIFICATE": "ca", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY": "key"},
		"half a pair":       {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://h", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "cert"},
		"not UTF-8":         {"OTEL_SERVICE_NAME": "\xff"},
	} {
		t.Run(name, func(t *testing.T) {
			c, ignored, err := FromEnvironment(lookup(vars))
			got := ""
			for _, p := range ignored {
				got += "ignored: " + p.String() + "\n"
			}
			if err != nil {
				got += err.Error() + "\n"
			}
			if got == "" {
				t.Fatal("nothing is wrong")
			}
			if strings.Contains(got, "s3cret") {
				t.Errorf("a secret is quoted: %v", got)
			}
			checkReparses(t, c)
			golden(t, "testdata/env-"+strings.ReplaceAll(name, " ", "-")+".err", got)
		})
	}
}
