// Package otelexport turns processes into OpenTelemetry spans and log records
// and delivers them over OTLP/gRPC.
//
// In come a process.Lifetime, by Exporter.Export, and an exec, by ExportExec,
// each with the Resource it is of; out go OTLP requests, by the official client
// (otlptracegrpc) for spans and by a plain call for log records. All that comes
// in is delivered, waits, or is counted as dropped with its reason: Stats always
// adds up.
//
// The two signals share nothing but the encoder. Each has a pipeline of its own,
// the same for both: queue, delivery, losses, connection.
//
// The rules of this room:
//
//   - Kernel time becomes wall time in Clock and nowhere else, ids are made in
//     IDs, foreign bytes become UTF-8 in validUTF8.
//   - A span or record is encoded to its wire form at once, into memory that is
//     used again for the next one: what waits is bytes, whose size is known
//     exactly, and not a graph of small messages.
//   - Attributes lists every attribute there is; a test holds that the encoder
//     writes these and no others.
//   - Export never blocks and never logs. Whatever can wait for the network or
//     the terminal happens in the delivery's own goroutine.
//   - Nothing in here reads OTEL_* variables: package config has decided all.
package otelexport
