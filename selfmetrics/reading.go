package selfmetrics

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// reading is all that is told at one time.
type reading struct {
	snapshot *Snapshot
	flows    []flow
	own      usage
}

// target is where a delivery goes.
type target struct {
	Delivery
	spans, logRecords string // host:port; "" is nowhere
}

// reading reads what there is to tell. It may be called by any goroutine.
func (w *Watch) reading() reading {
	r := reading{snapshot: w.latest.Load(), own: ownUsage()}
	if r.snapshot == nil {
		r.snapshot = &Snapshot{} // the kernel programs are still being loaded
	}
	to := w.delivery.Load()
	if to == nil {
		return r
	}
	spans, logRecords := to.Stats()
	spanDepth, logDepth := to.Depth()
	for _, f := range []struct {
		flow
		to string
	}{
		{flow{signal: Spans, stats: spans, depth: spanDepth}, to.spans},
		{flow{signal: LogRecords, stats: logRecords, depth: logDepth}, to.logRecords},
	} {
		if f.to == "" {
			continue
		}
		f.exporter, f.processor = exporterAttributes(f.signal, f.to), processorAttributes(f.signal)
		r.flows = append(r.flows, f.flow)
	}
	return r
}

// usage is what procspan itself takes.
type usage struct {
	user, system time.Duration // CPU time
	resident     int64         // bytes; 0 where it is not known
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
