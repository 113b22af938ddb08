// Package otelexport exports processes to OpenTelemetry collectors. It joins two
// rooms for the agent: otlp encodes processes, deliver brings the bytes to a
// collector.
//
// A process.Lifetime goes in by Exporter.Export, an exec by ExportExec, the path
// of a cgroup by Named. Every span and log record is delivered, waiting, stored, or
// counted as dropped with its reason: Stats always adds up.
//
// The rules of this room:
//
//   - Export never blocks and never logs.
//   - Nothing here reads OTEL_* variables: package config has decided all.
package otelexport
