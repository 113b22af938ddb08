package selfmetrics

import (
	"time"

	"github.com/procspan/procspan/otelexport/deliver"
)

// Snapshot is the agent's state at one moment. Counts are since its start.
type Snapshot struct {
	// At is when it was taken; the event loop moved then.
	At time.Time
	// Observing reports whether forks, execs and exits are seen; false while stopping.
	Observing bool

	Events []Count // from the kernel, by kind
	Losses []Loss

	Living  int // running processes in the table
	Traces  int // traces with a running process
	Waiting int // ended lifetimes that wait for their parent span

	Ended      uint64 // exported lifetimes
	Filtered   uint64 // processes too short for a span
	SampledOut uint64 // processes of unsampled traces
	Dropped    uint64 // processes dropped by rules

	Rules []Count // processes dropped, by rule

	Limited []Count // values, attributes, events and links that limits cut or dropped

	RingBytes, RingSize int // unread and total bytes of the ring buffer

	// Reloads and ReloadsFailed count how often the configuration file was read again.
	Reloads, ReloadsFailed uint64
	Configured             time.Time // from when on the file in force applies

	// Programs is empty unless the kernel keeps statistics of BPF programs.
	Programs []Program
}

// Count counts one kind.
type Count struct {
	Name  string
	Count uint64
}

// Loss counts one kind of loss, by its reason in the log.
type Loss struct {
	Stage  Stage
	Reason string
	Count  uint64
}

// Stage is where a loss occurred.
type Stage string

// The stages, in the order of the data.
const (
	StageKernel   Stage = "kernel"   // before the ring buffer
	StageTable    Stage = "table"    // from the record to the table of processes
	StageDelivery Stage = "delivery" // from the queue to the server
)

// Program has the kernel's statistics of one BPF program.
type Program struct {
	Name string
	Runs uint64
	Time time.Duration
}

// Delivery reports the delivery by each exporter.
type Delivery interface{ States() []deliver.State }
