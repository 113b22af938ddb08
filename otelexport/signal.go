package otelexport

import "strings"

// signal is a kind of what is sent, by the name of its items.
type signal string

const (
	signalSpans      signal = "spans"
	signalLogRecords signal = "log records"
)

// key returns the name that stands for a number of items in logs.
func (s signal) key() string { return strings.ReplaceAll(string(s), " ", "_") }
