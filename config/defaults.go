package config

import (
	"time"

	"github.com/procspan/procspan/process"
)

// Default returns what holds where nothing is configured: no exporter, redacted
// arguments, every span, a trace for each job.
func Default() Config {
	return Config{
		ServiceName:   ServiceNameUnit,
		ExpectedExits: DefaultExpectedExits(),
		Capture: Capture{
			Args:             ArgsRedacted,
			Attributes:       []AttributeName{"default"},
			ArgsMaxBytes:     4096,
			Forks:            process.ForksAbnormal,
			WorkingDirectory: true,
		},
		Filter: Filter{KeepErrors: true},
		TracePolicy: TracePolicy{
			SplitOn:        SplitOn{Session: true, Cgroup: true, Job: true, LongLived: true},
			MaxSpans:       10000,
			MaxBytes:       4 << 20,
			MaxAge:         24 * time.Hour,
			LongLivedAfter: time.Hour,
			Join:           true,
		},
		Delivery: Delivery{MaxSize: 1 << 30, MaxAge: 24 * time.Hour},
		Files:    Files{MaxSize: 100 << 20, MaxAge: 24 * time.Hour, Keep: 9},
		Kernel: Kernel{
			MaxProcesses: 262144,
		},
		Daemon: Daemon{
			PinDirectory:   "/sys/fs/bpf/procspan",
			StateDirectory: "/run/procspan",
		},
	}
}

// DefaultTraces returns the meaning of an empty otlp_grpc block: plain text to a
// Collector or Jaeger on this machine, and every trace except those that a
// TRACEPARENT names as not sampled.
func DefaultTraces() Traces {
	return Traces{
		Sampler:   parentBased(1),
		Pipelines: []Pipeline{defaultPipeline()},
		Limits:    SpanLimits{EventCount: 128, LinkCount: 128, EventAttributeCount: 128, LinkAttributeCount: 128},
	}
}

// DefaultLogs is the same for log records.
func DefaultLogs() Logs { return Logs{Pipelines: []Pipeline{defaultPipeline()}} }

// DefaultMetrics returns the readers that an empty periodic and an empty pull
// reader stand for: every minute to a Collector on this machine, and a port of
// the loopback for a Prometheus on it.
func DefaultMetrics() Metrics {
	return Metrics{
		Periodic: &PeriodicReader{
			Interval: time.Minute, Timeout: 30 * time.Second,
			Exporter: defaultExporter(), Temporality: Cumulative,
		},
		Prometheus: &Prometheus{Host: "localhost", Port: 9464},
	}
}

func (t *Traces) setDefaults()     { *t = DefaultTraces() }
func (l *Logs) setDefaults()       { *l = DefaultLogs() }
func (p *Pipeline) setDefaults()   { *p = Pipeline{Batch: defaultPipeline().Batch} }
func (o *OTLPGRPC) setDefaults()   { *o = *defaultExporter().OTLPGRPC }
func (o *OTLPHTTP) setDefaults()   { *o = OTLPHTTP{OTLP: defaultOTLP()} }
func (f *File) setDefaults()       { *f = File{Path: Stdout} }
func (p *Prometheus) setDefaults() { *p = *DefaultMetrics().Prometheus }
func (r *PeriodicReader) setDefaults() {
	*r = *DefaultMetrics().Periodic
	r.Exporter = Exporter{}
}

func defaultPipeline() Pipeline {
	return Pipeline{
		Batch: Batch{
			ScheduleDelay:      time.Second,
			ExportTimeout:      30 * time.Second,
			MaxQueueSize:       65536,
			MaxExportBatchSize: 512,
		},
		Exporter: defaultExporter(),
	}
}

func defaultExporter() Exporter {
	return Exporter{OTLPGRPC: &OTLPGRPC{Target: "localhost:4317", OTLP: defaultOTLP()}}
}

// defaultHTTP is where OTLP over HTTP goes by default, without the path.
const defaultHTTP = "http://localhost:4318"

func defaultOTLP() OTLP {
	return OTLP{Insecure: true, Compression: "none", Timeout: 10 * time.Second}
}
