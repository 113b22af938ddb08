// Package config turns the YAML file, or the OTEL_* variables without a file,
// into one validated Config. No other package knows YAML or these variables, and
// this one reads no environment by itself.
//
// In goes a file ([Load], [Parse]) or a lookup of variables
// ([FromEnvironment]); out comes a Config that needs no further check, or an
// [Invalid] with what is wrong. [Config.YAML] is the way back, and [Reference]
// the commented file of every option and its default.
//
// The rules of this room: a key or a value that is not understood is an error,
// with its line and a hint; an option is described once, by the tags of its field
// (option.go), its default in defaults.go and its meaning in reference.yml; a
// problem has one text, whether it comes from the file or from a variable; a
// secret is never printed, neither in an error nor by [Config.YAML].
package config

import (
	"regexp"
	"time"

	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/rules"
)

// Config is all that can be configured, complete and valid.
type Config struct {
	_ struct{} `yaml:"" unsupported:"log_level propagator instrumentation/development"`
	_ string   `yaml:"file_format" text:"format" required:"write file_format: \"1.0\""`
	_ bool     `yaml:"disabled"`
	// Resource is what the user adds to the detected resource.
	Resource Resource `yaml:"resource" unsupported:"schema_url detection/development"`
	// AttributeLimits hold where those of a signal are nil.
	AttributeLimits AttributeLimits `yaml:"attribute_limits"`
	// Traces is the export of spans; nil when no exporter is configured: lifetimes
	// are then shown on the terminal.
	Traces *Traces `yaml:"tracer_provider" unsupported:"id_generator tracer_configurator/development" restart:"presence"`
	// Logs is the export of log records; nil: there are none.
	Logs *Logs `yaml:"logger_provider" unsupported:"logger_configurator/development" restart:"presence"`
	// Metrics is the export of procspan's own metrics; nil: there are none.
	Metrics *Metrics `yaml:"meter_provider" unsupported:"views exemplar_filter view_matching_mode/development meter_configurator/development" restart:"yes"`

	// ServiceName is the source of service.name.
	ServiceName ServiceName `yaml:"distribution.procspan.service_name" words:"unit executable fixed"`
	// ExpectedExits are the ends that are no failure.
	ExpectedExits ExpectedExits `yaml:"distribution.procspan.expected_exits"`
	// Capture selects what is recorded of each process.
	Capture Capture `yaml:"distribution.procspan.capture"`
	// Filter selects the processes that get no span.
	Filter Filter `yaml:"distribution.procspan.filter"`
	// TracePolicy divides processes into traces.
	TracePolicy TracePolicy `yaml:"distribution.procspan.traces"`
	// Delivery is the store for records that cannot be delivered at once.
	Delivery Delivery `yaml:"distribution.procspan.delivery" restart:"yes"`
	// Files bounds the files of otlp_file/development.
	Files Files `yaml:"distribution.procspan.files"`
	// Kernel sizes the buffers between the kernel and the agent.
	Kernel Kernel `yaml:"distribution.procspan.kernel" restart:"yes"`
	// Rules decide process by process.
	Rules rules.Set `yaml:"distribution.procspan.rules" unique:"name" omit:""`
	// Daemon selects what outlives the agent.
	Daemon Daemon `yaml:"distribution.procspan.daemon" restart:"yes"`
	// Health is the address that answers probes.
	Health Health `yaml:"distribution.procspan.health" restart:"yes"`

	// Source is the file that all of it was read from; zero without a file.
	Source Source
}

// ServiceName is the source of service.name in the resource of a process.
type ServiceName string

// The sources of service.name.
const (
	ServiceNameUnit       ServiceName = "unit"       // the container or systemd unit; the agent's where there is none
	ServiceNameExecutable ServiceName = "executable" // the executable's name
	ServiceNameFixed      ServiceName = "fixed"      // the agent's, for all
)

// Resource is the user's part of the OpenTelemetry resource.
type Resource struct {
	// Attributes in file order. Values are string, bool, int64, float64 or
	// slices of these. service.name is among them when it was given.
	Attributes []Attribute `yaml:"attributes" omit:"" unique:"name"`
	_          string      `yaml:"attributes_list"`
}

// Attribute is one resource attribute.
type Attribute struct {
	Name  string `yaml:"name" text:"name" required:"give the attribute's name"`
	Value any    `yaml:"value" present:"give the attribute's value"`
	_     string `yaml:"type" words:"string bool int double string_array bool_array int_array double_array"`
}

// Traces is a sampler and the pipelines of spans.
type Traces struct {
	Sampler   Sampler    `yaml:"sampler"`
	Limits    SpanLimits `yaml:"limits"`
	Pipelines []Pipeline `yaml:"processors" most:"4" required:"give one batch processor with an otlp_grpc exporter"`
}

// Logs is the pipelines of log records.
type Logs struct {
	Limits    AttributeLimits `yaml:"limits"`
	Pipelines []Pipeline      `yaml:"processors" most:"4" required:"give one batch processor with an otlp_grpc exporter"`
}

// AttributeLimits bound the attributes of a span or a log record, as OpenTelemetry
// defines it. They do not concern those of a resource.
type AttributeLimits struct {
	// ValueLength is how many characters a string has at most, and each string in a
	// list; nil is no limit. Longer ones are cut.
	ValueLength *int `yaml:"attribute_value_length_limit" range:"0..16777216" env:"ATTRIBUTE_VALUE_LENGTH_LIMIT"`
	// Count is how many attributes there are at most; nil is 128. The most dispensable
	// ones are dropped first.
	Count *int `yaml:"attribute_count_limit" range:"0..16777216" env:"ATTRIBUTE_COUNT_LIMIT"`
}

// SpanLimits bound a span.
type SpanLimits struct {
	AttributeLimits
	// EventCount and LinkCount are how many events and links it has at most, the
	// others how many attributes each of them has.
	EventCount          int `yaml:"event_count_limit" range:"0..16777216" env:"SPAN_EVENT_COUNT_LIMIT"`
	LinkCount           int `yaml:"link_count_limit" range:"0..16777216" env:"SPAN_LINK_COUNT_LIMIT"`
	EventAttributeCount int `yaml:"event_attribute_count_limit" range:"0..16777216" env:"EVENT_ATTRIBUTE_COUNT_LIMIT"`
	LinkAttributeCount  int `yaml:"link_attribute_count_limit" range:"0..16777216" env:"LINK_ATTRIBUTE_COUNT_LIMIT"`
}

// Metrics is the readers of a meter provider; at least one of them is there.
type Metrics struct {
	_ struct{} `yaml:"readers" items:"reader" required:"give one reader, periodic or pull"`
	// Periodic sends the metrics; nil: they are not sent.
	Periodic *PeriodicReader `yaml:"readers.periodic" required:"give its exporter" unsupported:"producers cardinality_limits"`

	_ struct{} `yaml:"readers.pull" required:"give its exporter" unsupported:"producers cardinality_limits"`
	_ struct{} `yaml:"readers.pull.exporter" required:"give prometheus/development: {port: 9464}"`
	// Prometheus serves them; nil: they are not served.
	Prometheus *Prometheus `yaml:"readers.pull.exporter.prometheus/development" present:"it is the only exporter" unsupported:"scope_info_enabled target_info_enabled/development resource_constant_labels translation_strategy without_scope_info without_target_info/development with_resource_constant_labels"`
}

// PeriodicReader is a periodic metric reader and its exporter.
type PeriodicReader struct {
	// Interval is the time from one export to the next, whole milliseconds.
	Interval time.Duration `yaml:"interval" unit:"ms" range:"100..3600000" env:"INTERVAL"`
	// Timeout bounds one export with its retries, whole milliseconds; never 0.
	Timeout time.Duration `yaml:"timeout" unit:"ms" range:"1..3600000" env:"TIMEOUT"`

	_        struct{} `yaml:"exporter.otlp_grpc" also:"exporter.otlp_http exporter.otlp_file/development exporter.console" unsupported:"default_histogram_aggregation"`
	Exporter Exporter `yaml:"exporter" required:"give otlp_grpc: {endpoint: http://localhost:4317}"`
	// Temporality is the start of the counters.
	Temporality Temporality `yaml:"exporter.otlp_grpc.temporality_preference" also:"exporter.otlp_http.temporality_preference exporter.otlp_file/development.temporality_preference exporter.console.temporality_preference" words:"cumulative delta low_memory"`
}

// Temporality is the time from which the points of counters and histograms
// count.
type Temporality string

// The temporalities, by the names of the exporter's temporality_preference.
const (
	Cumulative Temporality = "cumulative" // from the start of procspan
	Delta      Temporality = "delta"      // from the previous export
	LowMemory  Temporality = "low_memory" // delta where the SDK needs no memory for it
)

// Prometheus is where an HTTP server serves the metrics, at /metrics.
type Prometheus struct {
	// Host is a name or an address, an IPv6 one without brackets.
	Host string `yaml:"host" text:"host" env:"HOST"`
	// Port is a TCP port; 0 is any that is free, which is logged.
	Port int `yaml:"port" range:"0..65535" env:"PORT"`
}

// Health is where an HTTP server answers probes, at /livez and /readyz.
type Health struct {
	// Endpoint is host:port, an IPv6 address in brackets; "" is nowhere.
	Endpoint string `yaml:"endpoint" text:"address"`
}

// Capture selects what is recorded of each process.
type Capture struct {
	// Args is the policy for process.command_args.
	Args ArgsPolicy `yaml:"args" words:"off redacted full"`
	// Attributes selects the attributes of spans and log records: those that are
	// named, and those of profiles that are named.
	Attributes []AttributeName `yaml:"attributes" single:"" unique:"yes"`
	// ArgsMaxBytes bounds how much of argv is read, all arguments together
	// with their terminators, in bytes.
	ArgsMaxBytes int `yaml:"args_max_bytes" range:"0..32768" restart:"yes"`
	// WorkingDirectory turns process.working_directory on.
	WorkingDirectory bool `yaml:"working_directory" restart:"yes"`
	// Forks is which processes get a span that never execute a program.
	Forks process.Forks `yaml:"forks" words:"off abnormal all"`
	// Baggage puts the members of BAGGAGE, from the environment, on the span.
	Baggage bool `yaml:"baggage" restart:"yes"`
	// Redact adds to the secrets that ArgsRedacted removes.
	Redact Redact `yaml:"redact"`
	// Environment names the environment variables that are recorded: at most 12
	// (the BPF programs look for 16, and procspan needs some itself), distinct,
	// each of 1 to 64 bytes without '=' and NUL.
	Environment []string `yaml:"environment" text:"variable" unique:"yes" most:"12" restart:"yes"`
}

// AttributeName is the name of an attribute, or of a profile: see catalogue.Names.
type AttributeName string

// ArgsPolicy bounds how much of the arguments leaves the machine.
type ArgsPolicy string

// The policies for process.command_args.
const (
	ArgsOff      ArgsPolicy = "off"      // argv[0] and the count only
	ArgsRedacted ArgsPolicy = "redacted" // every argument, without what looks like a secret
	ArgsFull     ArgsPolicy = "full"     // every argument as it is
)

// Redact holds expressions that match anywhere in a text.
type Redact struct {
	// Patterns match further secrets.
	Patterns []*regexp.Regexp `yaml:"patterns" text:"pattern"`
	// Allow matches what is never a secret; it wins.
	Allow []*regexp.Regexp `yaml:"allow"`
}

// Filter selects the processes that get no span.
type Filter struct {
	// MinDuration is how long a process must live to get one; never negative.
	MinDuration time.Duration `yaml:"min_duration" range:"0s.."`
	// KeepErrors gives a span to every process that failed, however briefly it
	// lived.
	KeepErrors bool `yaml:"keep_errors"`
}

// TracePolicy divides processes into traces, and selects what TRACEPARENT in the
// environment of a process does.
type TracePolicy struct {
	// SplitOn selects what starts a new trace.
	SplitOn SplitOn `yaml:"split_on" set:""`
	// MaxSpans is how many spans a trace has at most; the process after that
	// starts the next.
	MaxSpans int `yaml:"max_spans" range:"1..1000000"`
	// MaxBytes is how many bytes of OTLP the spans of a trace take at most; the
	// process after that starts the next.
	MaxBytes int64 `yaml:"max_bytes" unit:"size" range:"64KiB..1GiB"`
	// MaxAge is how long after its start a trace still grows; never 0.
	MaxAge time.Duration `yaml:"max_age" range:"1ns.."`
	// LongLivedAfter is the age from which a process is long-lived, for
	// SplitOn.LongLived; never 0.
	LongLivedAfter time.Duration `yaml:"long_lived_after" range:"1ns.."`
	// Join joins the traces that TRACEPARENT names; otherwise it is not read.
	Join bool `yaml:"join" restart:"yes"`
	// HonourSampled keeps to a TRACEPARENT that says "not sampled"; otherwise it
	// counts as sampled. nil, the default: only `procspan exec` does, whose caller
	// owns the environment. On a host, nobody hides a process by a variable.
	HonourSampled *bool `yaml:"honour_sampled"`
	// KeepErrors exports the failed processes of traces that are not sampled,
	// each as a small trace of its own.
	KeepErrors bool `yaml:"keep_errors"`
}

// SplitOn selects what starts a new trace. The zero value is one trace for one
// tree of processes.
type SplitOn struct {
	// Session is a new session, as setsid makes it.
	Session bool `yaml:"session"`
	// Cgroup is a change of cgroup: a container, a systemd unit.
	Cgroup bool `yaml:"cgroup"`
	// Job is a process group that an interactive shell starts.
	Job bool `yaml:"job"`
	// LongLived is each child of a process that is long-lived.
	LongLived bool `yaml:"long_lived"`
}

// Delivery is the store for spans and log records while the collector cannot be
// reached.
type Delivery struct {
	// Directory holds the store, as an absolute path; "": there is none, and they
	// wait in memory only.
	Directory string `yaml:"directory" text:"directory"`
	// MaxSize bounds what is stored, in bytes; beyond, the oldest are dropped and
	// counted.
	MaxSize int64 `yaml:"max_size" unit:"size" range:"16MiB..1024GiB"`
	// MaxAge is how long they are stored before they are dropped and counted;
	// never 0.
	MaxAge time.Duration `yaml:"max_age" range:"1ns.."`
}

// Kernel sizes what stands between the kernel and the agent.
type Kernel struct {
	// RingSize is the size of the ring buffer in bytes: a power of two and a
	// multiple of the page size; 0 is by the number of CPUs, see RingBytes.
	RingSize int `yaml:"ring_size" unit:"size" range:"64KiB..1GiB" power:"2" auto:""`
	// MaxProcesses is how many running processes are followed at most; the
	// kernel's own limit for pids is 4194304.
	MaxProcesses int `yaml:"max_processes" range:"1..4194304"`
}

// Daemon selects what outlives `procspan run`.
type Daemon struct {
	// Persist leaves the BPF programs in use when the agent ends, for whatever
	// reason, until the next agent takes over.
	Persist bool `yaml:"persist"`
	// PinDirectory is where the BPF programs are pinned: a directory of a BPF file
	// system. StateDirectory is where the agent keeps what it knows of running
	// processes. Both are absolute paths of directories that only procspan uses.
	PinDirectory   string `yaml:"pin_directory" text:"own directory"`
	StateDirectory string `yaml:"state_directory" text:"own directory"`
}
