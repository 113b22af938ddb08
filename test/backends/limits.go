// Package backends has a server that enforces the limits of tracing back ends. Its
// tests run procspan with the files of deploy/backends against it.
package backends

import "time"

// Limits are those of one back end; 0 is no limit. Lengths are in characters.
type Limits struct {
	// Name is that of the file in deploy/backends.
	Name string
	// Source is where the back end documents them.
	Source string

	RequestBytes, CompressedBytes  int
	TraceBytes, TraceSpans         int
	NameLength, ValueLength, Items int // Items of a list
	Attributes                     int // of a span
	Events, EventAttributes        int
	Links, LinkAttributes          int
	// Past is how long ago a span may have ended, Ahead how far in the future it may
	// end.
	Past, Ahead time.Duration
}

// All returns the back ends whose limits matter for traces of processes.
func All() []Limits {
	return []Limits{{
		Name: "tempo", Source: "grafana.com/docs/tempo/latest/configuration: overrides.defaults.global.max_bytes_per_trace, distributor.max_attribute_bytes; max_recv_msg_size_mib of the receiver",
		RequestBytes: 16 << 20, TraceBytes: 5_000_000, ValueLength: 2048,
	}, {
		Name: "dash0", Source: "dash0.com/docs/dash0/cost-control/quotas-and-limits, 2026-04-07",
		TraceSpans: 2000, NameLength: 128, ValueLength: 2048, Attributes: 32,
		Events: 8, EventAttributes: 8, Links: 128, LinkAttributes: 8, Past: 6 * time.Hour, Ahead: 72 * time.Hour,
	}, {
		Name: "newrelic", Source: "docs.newrelic.com: opentelemetry-best-practices-attributes, opentelemetry-otlp",
		CompressedBytes: 1_000_000, NameLength: 255, ValueLength: 4095, Items: 64,
	}, {
		Name: "dynatrace", Source: "docs.dynatrace.com: ingest-from/opentelemetry/otlp-api/ingest-traces",
		RequestBytes: 8_000_000, CompressedBytes: 8_000_000, Attributes: 128,
		Events: 128, EventAttributes: 128, Links: 128, LinkAttributes: 128, Past: time.Hour, Ahead: 10 * time.Minute,
	}}
}
