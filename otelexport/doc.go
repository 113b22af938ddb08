// Package otelexport turns processes into OpenTelemetry spans and log records
// and delivers them over OTLP/gRPC.
//
// In come a process.Lifetime, by Exporter.Export, and an exec, by ExportExec,
// each with the Resource it is of; out go OTLP requests, by the official client
// (otlptracegrpc) for spans and by a plain call for log records. All that comes
// in is delivered, waits, is stored, or is counted as dropped with its reason:
// Stats always adds up.
//
// The two signals share nothing but the encoder. Each has a pipeline of its own,
// the same for both: queue, delivery, losses, connection, and a shelf in the
// store, which is one file for both.
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
//   - Export never blocks and never logs. Whatever can wait for the network, the
//     disk or the terminal happens in the delivery's own goroutines.
//   - The disk is touched only where memory alone would not do: while the server
//     cannot be reached, or when the queue is half full. Package spool has the
//     disk; what is delivered from there may come twice after a crash, which does
//     no harm, since ids are those of the processes.
//   - Nothing in here reads OTEL_* variables: package config has decided all.
package otelexport
