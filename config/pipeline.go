package config

import "time"

// Pipeline is a batch processor and its exporter.
type Pipeline struct {
	_        struct{} `yaml:"" unsupported:"simple" instead:"batch" as:"{batch: {exporter: {otlp_grpc: }}}"`
	Batch    Batch    `yaml:"batch" required:"give one batch processor with an otlp_grpc exporter"`
	Exporter Exporter `yaml:"batch.exporter" required:"give otlp_grpc: {endpoint: http://localhost:4317}"`
}

// Exporter is one of several; exactly one is not nil.
type Exporter struct {
	_        struct{}  `yaml:"" one:"give one exporter" unsupported:"zipkin" instead:"one of otlp_grpc, otlp_http"`
	OTLPGRPC *OTLPGRPC `yaml:"otlp_grpc" null:""`
	OTLPHTTP *OTLPHTTP `yaml:"otlp_http" null:""`
	File     *File     `yaml:"otlp_file/development" null:""`
	Console  *Console  `yaml:"console" null:""`
}

// Batch bounds batches and their queue. Names and meaning are those of the
// OpenTelemetry batch processors; a record is a span or a log record.
type Batch struct {
	// ScheduleDelay is how long a record waits at most for its batch to fill,
	// whole milliseconds; 0 does not wait.
	ScheduleDelay time.Duration `yaml:"schedule_delay" unit:"ms" range:"0..3600000" env:"SCHEDULE_DELAY"`
	// ExportTimeout bounds one attempt to send one batch, as OTLPGRPC.Timeout
	// does; the shorter applies. Whole milliseconds, never 0.
	ExportTimeout time.Duration `yaml:"export_timeout" unit:"ms" range:"1..3600000" env:"EXPORT_TIMEOUT"`
	// MaxQueueSize is how many records wait at most, and never more than 64 MiB of
	// them; beyond, the oldest are dropped and counted.
	MaxQueueSize int `yaml:"max_queue_size" range:"1..16777216" env:"MAX_QUEUE_SIZE"`
	// MaxExportBatchSize is how many records one request carries at most; it
	// does not exceed MaxQueueSize.
	MaxExportBatchSize int `yaml:"max_export_batch_size" range:"1..16777216" env:"MAX_EXPORT_BATCH_SIZE"`
}

// OTLPGRPC exports by OTLP over gRPC.
type OTLPGRPC struct {
	// Target is host:port, an IPv6 address in brackets, or unix:/path.
	Target string `yaml:"endpoint" text:"endpoint" secret:""`
	_      bool   `yaml:"tls.insecure"`
	OTLP
}

// OTLPHTTP exports by OTLP over HTTP, in protobuf.
type OTLPHTTP struct {
	// URL is the whole URL of the signal.
	URL string `yaml:"endpoint" text:"url" secret:""`
	// Socket is the path of the Unix socket that is connected to; "" is by URL.
	Socket string
	_      string `yaml:"encoding" words:"protobuf"`
	OTLP
}

// File writes OTLP's JSON, a request a line.
type File struct {
	// Path is absolute, or Stdout.
	Path string `yaml:"output_stream" text:"stream"`
}

// Stdout is the Path of a File that is standard output.
const Stdout = "stdout"

// Console writes readable lines to standard output.
type Console struct{}

// Files bounds the files that File exporters write.
type Files struct {
	// MaxSize is how large a file grows, in bytes; MaxAge is how old. Then it is
	// renamed, and a new one is begun.
	MaxSize int64         `yaml:"max_size" unit:"size" range:"1MiB..1024GiB"`
	MaxAge  time.Duration `yaml:"max_age" range:"1s.."`
	// Keep is how many renamed files are kept.
	Keep int `yaml:"keep" range:"0..1000"`
}

// OTLP is what the OTLP exporters over a network have in common.
type OTLP struct {
	// Insecure means plain text, and TLS is empty.
	Insecure bool
	TLS      TLS `yaml:"tls"`
	// Headers are sent with each request. Names are lower case.
	Headers []Header `yaml:"headers" omit:"" unique:"name" secret:""`
	_       string   `yaml:"headers_list" secret:""`
	// Compression is "none", "gzip" or "zstd".
	Compression string `yaml:"compression" words:"none gzip zstd" env:"COMPRESSION"`
	// Timeout bounds one attempt. Whole milliseconds, never 0.
	Timeout time.Duration `yaml:"timeout" unit:"ms" range:"1..3600000" env:"TIMEOUT"`
}

// TLS names PEM files; all may be "": the system's roots and no client
// certificate.
type TLS struct {
	CAFile   string `yaml:"ca_file" omit:"" text:"file" env:"CERTIFICATE"`
	CertFile string `yaml:"cert_file" omit:"" text:"file" env:"CLIENT_CERTIFICATE"`
	KeyFile  string `yaml:"key_file" omit:"" text:"file" env:"CLIENT_KEY"`
}

// Header is one request header.
type Header struct {
	Name  string `yaml:"name" text:"header name" required:"give the header's name"`
	Value Secret `yaml:"value" text:"header value" present:"give the header's value, as in value: ${TOKEN}"`
}
