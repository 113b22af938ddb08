package config

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is how every secret prints.
const redacted = "<redacted>"

// The methods below cover every usual way to print a secret or what holds it.
// Go leaves three ways open, which stay forbidden: fmt cannot call methods on
// what sits in an unexported field, so a struct that keeps a Config in one is
// never printed whole; nor with a verb that does not fit, which go vet finds;
// and JSON does not ask the key of a map, so a secret is never one.

// String returns "<redacted>".
func (s Secret) String() string { return redacted }

// GoString returns "<redacted>".
func (s Secret) GoString() string { return redacted }

// Format writes "<redacted>" for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "<redacted>".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "<redacted>".
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "<redacted>" as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalYAML returns "<redacted>".
func (s Secret) MarshalYAML() (any, error) { return redacted, nil }

// Config, Traces, Logs, Metrics, PeriodicReader, OTLPGRPC and Header format themselves, because fmt asks no
// methods below a pointer that is printed with a verb which does not fit it.

// Format writes the fields, for every verb; secrets as "<redacted>".
func (c Config) Format(f fmt.State, _ rune) {
	type plain Config
	fmt.Fprintf(f, "%+v", plain(c))
}

// Format writes the fields, for every verb; secrets as "<redacted>".
func (t Traces) Format(f fmt.State, _ rune) {
	type plain Traces
	fmt.Fprintf(f, "%+v", plain(t))
}

// Format writes the fields, for every verb; secrets as "<redacted>".
func (l Logs) Format(f fmt.State, _ rune) {
	type plain Logs
	fmt.Fprintf(f, "%+v", plain(l))
}

// Format writes the fields, for every verb; secrets as "<redacted>".
func (m Metrics) Format(f fmt.State, _ rune) {
	type plain Metrics
	fmt.Fprintf(f, "%+v", plain(m))
}

// Format writes the fields, for every verb; secrets as "<redacted>".
func (r PeriodicReader) Format(f fmt.State, _ rune) {
	type plain PeriodicReader
	fmt.Fprintf(f, "%+v", plain(r))
}

// Format writes the fields, for every verb; secrets as "<redacted>".
func (o OTLPGRPC) Format(f fmt.State, _ rune) {
	type plain OTLPGRPC
	fmt.Fprintf(f, "%+v", plain(o))
}

// Format writes the name, for every verb, and "<redacted>" for the value.
func (h Header) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{Name:%s Value:%s}", h.Name, redacted)
}
