package deliver

import "strings"

// Signal is a kind of telemetry, by the name of its items.
type Signal string

// The signals.
const (
	Spans      Signal = "spans"
	LogRecords Signal = "log records"
	// Metrics can be probed and written: the SDK sends them.
	Metrics Signal = "metrics"
)

// signals is how many signals an Outbox delivers.
const signals = 2

// allSignals are these, by their numbers in snapshots.
var allSignals = [signals]Signal{Spans, LogRecords}

// key returns the log key of a number of items.
func (s Signal) key() string { return strings.ReplaceAll(string(s), " ", "_") }
