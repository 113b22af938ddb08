// Package otlp encodes processes as OpenTelemetry spans and log records.
//
// A process.Lifetime goes in by Encoder.Load, an exec by Encoder.ExecRecord; out
// come the bytes of one span or log record. Workloads finds the Resource that a
// process belongs to.
//
// The rules of this room:
//
//   - It is pure: no goroutine, no I/O, no network. One goroutine owns the
//     Encoder, the Clock and the Workloads.
//   - Clock alone turns kernel time into wall time; validUTF8 alone turns foreign
//     bytes into UTF-8.
//   - Items are encoded straight to their wire form, into memory that the next
//     item reuses: no graph of small messages, no allocation per attribute.
//   - Attributes lists every attribute of spans and records, and a test holds that
//     the encoder writes exactly these.
package otlp
