package selfmetrics

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/otelexport/deliver"
)

// reading is the input of one collection.
type reading struct {
	snapshot *Snapshot
	flows    []flow
	own      usage
}

// reading collects the current values. Any goroutine may call it.
func (w *Watch) reading() reading {
	r := reading{snapshot: w.latest.Load(), own: ownUsage()}
	if r.snapshot == nil {
		r.snapshot = &Snapshot{} // the BPF programs are still being loaded
	}
	to := w.delivery.Load()
	if to == nil {
		return r
	}
	for _, s := range (*to).States() {
		f := flow{signal: Spans, stats: s.Stats, depth: s.Depth}
		if s.Signal == deliver.LogRecords {
			f.signal = LogRecords
		}
		f.exporter, f.processor = exporterAttributes(f.signal, s.Index, s.Exporter), processorAttributes(f.signal, s.Index)
		r.flows = append(r.flows, f)
	}
	return r
}

// usage is what procspan itself uses.
type usage struct {
	user, system time.Duration // CPU time
	resident     int64         // bytes; 0 if unknown
}

func ownUsage() usage {
	var u usage
	var spent unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &spent) == nil {
		u.user, u.system = time.Duration(spent.Utime.Nano()), time.Duration(spent.Stime.Nano())
	}
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return u
	}
	if fields := bytes.Fields(statm); len(fields) > 1 {
		pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
		u.resident = pages * int64(os.Getpagesize())
	}
	return u
}
