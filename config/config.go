// Package config turns the YAML file, or the OTEL_* variables where there is
// no file, into one validated Config. Nothing outside knows about YAML or
// variables; nothing in here reads the environment by itself.
//
// In goes a file ([Load], [Parse]) or a lookup of variables
// ([FromEnvironment]); out comes a Config that needs no further check, or an
// [Invalid] with every problem there is. [Config.YAML] is the way back, and
// [Reference] the commented file of every option and its default.
//
// The rules of this room: what is not understood is an error, with its line
// and its cure; one list of keys (schema.go); one text for a problem, whether
// it comes from the file or from a variable; a secret is never printed, neither
// in an error nor by [Config.YAML].
package config

import (
	"regexp"
	"time"
)

// Config is all that can be configured, complete and valid.
type Config struct {
	// Resource is what the user adds to the detected resource.
	Resource Resource
	// Traces says which spans go where; nil when no exporter is configured, and
	// lifetimes are then shown on the terminal.
	Traces *Traces
	// Logs says where log records go; nil when there are to be none.
	Logs *Logs
	// ServiceName says what becomes service.name.
	ServiceName ServiceName
	// ExpectedExits says which ends are no failure.
	ExpectedExits ExpectedExits
	// Capture says what is taken along of each process.
	Capture Capture
	// Filter says which processes get no span.
	Filter Filter
	// TracePolicy says what one trace is.
	TracePolicy TracePolicy
	// Delivery says what becomes of what cannot be delivered at once.
	Delivery Delivery
	// Kernel sizes what stands between the kernel and the agent.
	Kernel Kernel
	// Daemon says what outlives the agent.
	Daemon Daemon
}

// Resource is the user's part of the OpenTelemetry resource.
type Resource struct {
	// Attributes in file order. Values are string, bool, int64, float64 or
	// slices of these. service.name is among them when it was given.
	Attributes []Attribute
}

// Attribute is one resource attribute.
type Attribute struct {
	Name  string
	Value any
}

// Traces is a sampler, a batch span processor and its OTLP/gRPC exporter.
type Traces struct {
	Sampler  Sampler
	Batch    Batch
	Exporter OTLPGRPC
}

// Logs is a batch log record processor and its OTLP/gRPC exporter.
type Logs struct {
	Batch    Batch
	Exporter OTLPGRPC
}

// Sampler says which traces are exported: by how a trace starts, the share of
// such traces, from 0 for none to 1 for all. The trace id chooses, as in
// OpenTelemetry's TraceIdRatioBased.
//
// It is asked once for each trace and never with a local parent, so every
// sampler that can be written comes down to these three numbers. One that does
// not look at the parent has the same number three times.
type Sampler struct {
	// Root is for traces that start on this host.
	Root float64
	// RemoteParentSampled is for traces that a TRACEPARENT names as sampled.
	RemoteParentSampled float64
	// RemoteParentNotSampled is for traces that one names as not sampled.
	RemoteParentNotSampled float64
}

// Batch says when a batch is full. Names and meaning are those of the
// OpenTelemetry batch processors; a record is a span or a log record.
type Batch struct {
	// ScheduleDelay is how long a record waits at most for its batch to fill,
	// whole milliseconds from 0 (do not wait) to 1 h.
	ScheduleDelay time.Duration
	// ExportTimeout bounds one attempt to send one batch, together with
	// OTLPGRPC.Timeout; the shorter counts. Whole milliseconds from 1 ms to
	// 1 h; never 0.
	ExportTimeout time.Duration
	// MaxQueueSize is how many records wait at most, and never more than 64 MiB of
	// them; beyond, the oldest are dropped and counted.
	MaxQueueSize int
	// MaxExportBatchSize is how many records one request carries at most; it
	// does not exceed MaxQueueSize.
	MaxExportBatchSize int
}

// OTLPGRPC is the exporter as the OTLP exporter specification describes it.
type OTLPGRPC struct {
	// Target is host:port, an IPv6 address in brackets.
	Target string
	// Insecure means plain text; TLS holds otherwise.
	Insecure bool
	TLS      TLS
	// Headers go along with each request. Keys are lower case.
	Headers []Header
	// Compression is "gzip" or "none".
	Compression string
	// Timeout bounds one attempt. Whole milliseconds from 1 ms to 1 h; never 0.
	Timeout time.Duration
}

// TLS names PEM files; all may be "": the system's roots and no client
// certificate.
type TLS struct {
	CAFile   string
	CertFile string
	KeyFile  string
}

// Header is one request header.
type Header struct {
	Name  string
	Value Secret
}

// Capture says what is taken along of each process.
type Capture struct {
	// Args is the policy for process.command_args.
	Args ArgsPolicy
	// ArgsMaxBytes bounds how much of argv is read, all arguments together
	// with their terminators, in bytes.
	ArgsMaxBytes int
	// WorkingDirectory turns process.working_directory on.
	WorkingDirectory bool
	// Baggage puts the members of BAGGAGE, from the environment, on the span.
	Baggage bool
	// Redact adds to what ArgsRedacted takes for a secret.
	Redact Redact
	// Environment names the environment variables that are recorded: at most 12,
	// distinct, each of 1 to 64 bytes without '=' and NUL.
	Environment []string
}

// Redact holds expressions that match anywhere in a text.
type Redact struct {
	// Patterns is what is a secret too.
	Patterns []*regexp.Regexp
	// Allow is what never is one; it wins.
	Allow []*regexp.Regexp
}

// ArgsPolicy says how much of the arguments leaves the machine.
type ArgsPolicy string

// The policies for process.command_args.
const (
	ArgsOff      ArgsPolicy = "off"      // argv[0] and the count only
	ArgsRedacted ArgsPolicy = "redacted" // every argument, without what looks like a secret
	ArgsFull     ArgsPolicy = "full"     // every argument as it is
)

// Filter says which processes get no span.
type Filter struct {
	// MinDuration is how long a process must live to get one; never negative.
	MinDuration time.Duration
	// KeepErrors gives one to every process that failed, however short.
	KeepErrors bool
}

// TracePolicy says what one trace is: where one ends and the next starts, and
// what TRACEPARENT in the environment of a process does.
type TracePolicy struct {
	// SplitOn is what starts a trace of its own.
	SplitOn SplitOn
	// MaxSpans is how many spans a trace has at most, from 1 to 1,000,000; the
	// process after that starts the next.
	MaxSpans int
	// MaxAge is how long after its start a trace still grows; never 0.
	MaxAge time.Duration
	// LongLivedAfter is the age from which a process is long-lived, for
	// SplitOn.LongLived; never 0.
	LongLivedAfter time.Duration
	// Join joins the traces that TRACEPARENT names; otherwise it is not read.
	Join bool
	// HonourSampled takes a TRACEPARENT that says "not sampled" at its word;
	// otherwise it counts as sampled.
	HonourSampled bool
	// KeepErrors exports the failed processes of traces that are not sampled,
	// each as a small trace of its own.
	KeepErrors bool
}

// SplitOn is the set of what starts a trace of its own. The zero value is one
// trace for one tree of processes.
type SplitOn struct {
	// Session is a new session, as setsid makes it.
	Session bool
	// Cgroup is a change of cgroup: a container, a systemd unit.
	Cgroup bool
	// Job is a process group that an interactive shell starts.
	Job bool
	// LongLived is each child of a process that is long-lived.
	LongLived bool
}

// Delivery says where spans and log records wait while the collector is away.
type Delivery struct {
	// Directory holds the store, as an absolute path; "" is to have none, and
	// they wait in memory only.
	Directory string
	// MaxSize bounds what is stored, in bytes, from 16 MiB to 1 TiB; beyond, the
	// oldest are dropped and counted.
	MaxSize int64
	// MaxAge is how long they are stored before they are dropped and counted;
	// never 0.
	MaxAge time.Duration
}

// Kernel sizes what stands between the kernel and the agent.
type Kernel struct {
	// RingSize is the size of the ring buffer in bytes: a power of two and a
	// multiple of the page size.
	RingSize int
	// MaxProcesses is how many living processes are followed at most.
	MaxProcesses int
}

// Daemon says what outlives `procspan run`.
type Daemon struct {
	// Persist leaves the kernel programs at work when the agent ends, in whatever
	// way, for the next one to take over.
	Persist bool
	// PinDirectory is where the kernel programs are pinned: a directory of a BPF
	// file system. StateDirectory is where the agent keeps what it knows of the
	// living. Both are absolute paths of directories that are procspan's own.
	PinDirectory, StateDirectory string
}

// Secret is a value that never prints: not with %v, not in YAML, JSON or a log.
type Secret string

// Reveal returns the value itself.
func (s Secret) Reveal() string { return string(s) }
