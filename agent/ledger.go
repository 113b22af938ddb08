package agent

import (
	"log/slog"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

// ledger says what became of every lifetime that this agent has come to know of, by
// one exporter.
type ledger struct {
	exporter string // "" if there is one only
	// seen are those that ran when it began, or began since, or of which not even
	// that could be told; restored are spans that an earlier agent had left.
	seen, restored uint64
	// places are where they are now; what was lost is by its reason.
	places []place
	lost   []bpf.Loss
}

// place is one of several where a lifetime can be.
type place struct {
	name  string // in the log
	count uint64
	rare  bool // it is logged only if there are any
}

// newLedger puts it together from what its parts count. before is what the table
// had counted when the agent began.
func newLedger(before, now process.Stats, kernel uint64, spans otelexport.Stats) ledger {
	l := ledger{
		seen:     now.Seen - before.Seen + uint64(before.Running+before.Deferred) + kernel,
		restored: spans.Restored,
		places: []place{
			{name: "delivered", count: spans.Delivered},
			{name: "running", count: uint64(now.Running)},
			{name: "waiting", count: spans.Waiting + uint64(now.Deferred)}, // they have ended
			{name: "stored", count: spans.Stored},                          // on disk
			{name: "filtered", count: now.Filtered - before.Filtered},      // too short
			{name: "sampled_out", count: now.SampledOut - before.SampledOut},
			{name: "dropped_by_rules", count: now.Dropped - before.Dropped, rare: true},
		},
		lost: []bpf.Loss{
			{Reason: "kernel", Count: kernel},
			{Reason: "evicted", Count: now.Forgotten - before.Forgotten},
		},
	}
	for why, count := range spans.Dropped {
		l.lost = append(l.lost, bpf.Loss{Reason: otelexport.Reason(why).String(), Count: count})
	}
	return l
}

// missing is what the ledger does not account for: 0, or procspan has a bug.
func (l ledger) missing() int64 {
	rest := l.seen + l.restored
	for _, p := range l.places {
		rest -= p.count
	}
	for _, loss := range l.lost {
		rest -= loss.Count
	}
	return int64(rest)
}

// report logs it, in one line.
func (l ledger) report(log *slog.Logger) {
	var args []any
	if l.exporter != "" {
		args = append(args, "exporter", l.exporter)
	}
	for _, p := range append([]place{{name: "seen", count: l.seen}, {name: "restored", count: l.restored, rare: true}}, l.places...) {
		if p.count > 0 || !p.rare {
			args = append(args, p.name, p.count)
		}
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

// ledgers returns those of now: one for each exporter of spans, or one if there is none.
func (f *flow) ledgers(exporter *otelexport.Exporter) (all []ledger) {
	now, states := f.stats(), exporter.States()
	for _, s := range states {
		if s.Signal != otelexport.Spans {
			continue
		}
		l := newLedger(f.began, now, f.endsMissing(now), s.Stats)
		l.places = append(l.places, place{"not_configured", s.Missed, true}) // when they ended
		if severalOf(states, s.Signal) {
			l.exporter = s.Exporter.Target()
		}
		all = append(all, l)
	}
	if len(all) == 0 {
		l := newLedger(f.began, now, f.endsMissing(now), otelexport.Stats{})
		l.places = append(l.places, place{"no_exporter", now.Ended - f.began.Ended, true}) // of spans, but one of log records
		all = append(all, l)
	}
	return all
}

// stats are those of the table, with the processes that the BPF programs have dropped.
func (f *flow) stats() process.Stats {
	now := f.table.Stats()
	_, dropped := f.trees.dropped()
	now.Seen += dropped
	now.Dropped += dropped
	return now
}

// reportLedgers logs them.
func (f *flow) reportLedgers(exporter *otelexport.Exporter, log *slog.Logger) {
	for _, l := range f.ledgers(exporter) {
		l.report(log)
	}
}

// endsMissing returns how many ends of programs the kernel had no room to report and
// the table has not found out about.
func (f *flow) endsMissing(now process.Stats) uint64 {
	ends, found := f.ends-f.endsBefore, now.Estimated-f.began.Estimated
	return max(ends, found) - found
}

// endsLost returns how many ends of programs the kernel had no room to report.
func endsLost(losses []bpf.Loss) (n uint64) {
	for _, l := range losses {
		if l.Concerns == bpf.End {
			n += l.Count
		}
	}
	return n
}
