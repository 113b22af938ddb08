package config

import "time"

// Bounds of the numbers, for the file and the variables alike.
const (
	maxDelay        = time.Hour
	maxQueueSize    = 1 << 24
	maxArgsBytes    = 32 << 10
	minRingSize     = 64 << 10
	maxRingSize     = 1 << 30
	maxMaxProcesses = 1 << 22 // the kernel's own limit for pids
	maxMaxSpans     = 1_000_000
	maxEnvironment  = 12  // names; the kernel side looks for 16, and procspan needs some itself
	maxVariableName = 64  // bytes; the kernel side's limit
	maxFileName     = 255 // bytes; the kernel's limit
	minStoreSize    = 16 << 20
	maxStoreSize    = 1 << 40
)

const defaultEndpoint = "http://localhost:4317"

// Default returns what holds where nothing is configured: no exporter, redacted
// arguments, every span, a trace for each job, a 16 MiB ring.
func Default() Config {
	return Config{
		ServiceName:   ServiceNameUnit,
		ExpectedExits: DefaultExpectedExits(),
		Capture: Capture{
			Args:             ArgsRedacted,
			ArgsMaxBytes:     4096,
			WorkingDirectory: true,
		},
		Filter: Filter{KeepErrors: true},
		TracePolicy: TracePolicy{
			SplitOn:        SplitOn{Session: true, Cgroup: true, Job: true, LongLived: true},
			MaxSpans:       10000,
			MaxAge:         24 * time.Hour,
			LongLivedAfter: time.Hour,
			Join:           true,
			HonourSampled:  true,
		},
		Delivery: Delivery{MaxSize: 1 << 30, MaxAge: 24 * time.Hour},
		Kernel: Kernel{
			RingSize:     16 << 20,
			MaxProcesses: 262144,
		},
		Daemon: Daemon{
			PinDirectory:   "/sys/fs/bpf/procspan",
			StateDirectory: "/run/procspan",
		},
	}
}

// DefaultTraces returns the exporter that an empty otlp_grpc block stands for:
// plain text to a Collector or Jaeger on this machine, of every trace but those
// that a TRACEPARENT names as not sampled.
func DefaultTraces() Traces {
	return Traces{Sampler: parentBased(1), Batch: defaultBatch(), Exporter: defaultExporter()}
}

// DefaultLogs is the same for log records.
func DefaultLogs() Logs { return Logs{Batch: defaultBatch(), Exporter: defaultExporter()} }

func defaultBatch() Batch {
	return Batch{
		ScheduleDelay:      time.Second,
		ExportTimeout:      30 * time.Second,
		MaxQueueSize:       65536,
		MaxExportBatchSize: 512,
	}
}

func defaultExporter() OTLPGRPC {
	return OTLPGRPC{
		Target:      "localhost:4317",
		Insecure:    true,
		Compression: "none",
		Timeout:     10 * time.Second,
	}
}
