package selfmetrics

import (
	"time"

	"github.com/procspan/procspan/otelexport"
)

// Snapshot is what the agent's goroutine knew at one moment. Counts are since the
// start of the agent.
type Snapshot struct {
	// At is when it was taken: the event loop moved then.
	At time.Time
	// Observing says that forks, execs and exits are seen; false once that ended.
	Observing bool

	Events []Count // that came from the kernel, by kind
	Losses []Loss

	Living  int // processes in the table
	Traces  int // traces that have a living process
	Waiting int // ended lifetimes that wait to know what they hang on

	Ended      uint64 // lifetimes that were handed on
	LeftOut    uint64 // processes too short for a span
	SampledOut uint64 // processes of traces that are not exported

	RingBytes, RingSize int // what of the ring buffer was not read yet, and all of it

	// Programs is what the kernel counted of its programs; empty unless it counts.
	Programs []Program
}

// Count is how many there were of one kind.
type Count struct {
	Name  string
	Count uint64
}

// Loss is something that went missing, in the words of the log.
type Loss struct {
	Stage  Stage
	Reason string
	Count  uint64
}

// Stage is where something went missing.
type Stage string

// The stages, in the order in which data passes them.
const (
	StageKernel   Stage = "kernel"   // before it reached procspan
	StageTable    Stage = "table"    // in procspan, from the record to the table of the living
	StageDelivery Stage = "delivery" // a span or log record on its way to the server
)

// Program is what the kernel counted of one of its programs.
type Program struct {
	Name string
	Runs uint64
	Time time.Duration
}

// Delivery is what the exporter knows of the delivery of spans and log records.
type Delivery interface {
	Stats() (spans, logRecords otelexport.Stats)
	Depth() (spans, logRecords otelexport.Depth)
}
