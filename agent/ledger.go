package agent

import (
	"log/slog"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

// ledger says what became of every lifetime that this agent has come to know of.
type ledger struct {
	// seen are those that ran when it began, or began since, or of which not even
	// that could be told; restored are spans that an earlier agent had left.
	seen, restored uint64
	// running have not ended; waiting have, and their span is on its way to the
	// collector; stored is on disk.
	running, waiting, stored, delivered uint64
	// leftOut were too short, sampledOut are of traces that are not exported.
	leftOut, sampledOut uint64
	// logged have ended, where there is no exporter for spans but one for log records.
	logged uint64
	lost   []bpf.Loss
}

// newLedger puts it together from what its parts count. before is what the table
// had counted when the agent began.
func newLedger(before, now process.Stats, kernel uint64, spans otelexport.Stats) ledger {
	l := ledger{
		seen:       now.Seen - before.Seen + uint64(before.Running+before.Waiting) + kernel,
		restored:   spans.Restored,
		running:    uint64(now.Running),
		waiting:    spans.Waiting + uint64(now.Waiting),
		stored:     spans.Stored,
		delivered:  spans.Delivered,
		leftOut:    now.LeftOut - before.LeftOut,
		sampledOut: now.SampledOut - before.SampledOut,
		lost: []bpf.Loss{
			{Reason: "kernel", Count: kernel},
			{Reason: "forgotten", Count: now.Forgotten - before.Forgotten},
		},
	}
	for reason, count := range spans.Dropped.All() {
		l.lost = append(l.lost, bpf.Loss{Reason: reason, Count: count})
	}
	return l
}

// missing is what the ledger does not account for: 0, or procspan has a bug.
func (l ledger) missing() int64 {
	sum := l.running + l.waiting + l.stored + l.delivered + l.leftOut + l.sampledOut + l.logged
	for _, loss := range l.lost {
		sum += loss.Count
	}
	return int64(l.seen + l.restored - sum)
}

// tell logs it, in one line.
func (l ledger) tell(log *slog.Logger) {
	args := []any{"seen", l.seen}
	if l.restored > 0 {
		args = append(args, "restored", l.restored)
	}
	args = append(args, "delivered", l.delivered, "running", l.running, "waiting", l.waiting, "stored", l.stored,
		"left_out", l.leftOut, "sampled_out", l.sampledOut)
	if l.logged > 0 {
		args = append(args, "no_exporter", l.logged)
	}
	var lost uint64
	var reasons []any
	for _, loss := range l.lost {
		if lost += loss.Count; loss.Count > 0 {
			reasons = append(reasons, loss.Reason, loss.Count)
		}
	}
	args = append(args, "lost", lost)
	if len(reasons) > 0 {
		args = append(args, slog.Group("lost_by", reasons...))
	}
	if n := l.missing(); n != 0 {
		log.Error("ledger does not add up: this is a bug of procspan, please report it", append(args, "missing", n)...)
		return
	}
	log.Info("ledger", args...)
}

// ledger returns that of now.
func (f *flow) ledger(exporter *otelexport.Exporter) ledger {
	now := f.table.Stats()
	spans, _ := exporter.Stats()
	// An end that was lost is lost for good unless the table found out about it.
	ends, found := f.ends-f.endsBefore, now.Estimated-f.began.Estimated
	l := newLedger(f.began, now, max(ends, found)-found, spans)
	if !exporter.Spans() {
		l.logged = now.Ended - f.began.Ended
	}
	return l
}

// endsLost returns how many ends of programs the kernel had no room to tell of.
func endsLost(losses []bpf.Loss) (n uint64) {
	for _, l := range losses {
		if l.Concerns == bpf.End {
			n += l.Count
		}
	}
	return n
}
