package agent

import (
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/selfmetrics"
)

// lossLog logs everything that was lost or ignored: at once when it begins, every
// lossLogEvery while it goes on, and at the end, in one record for each reason.
type lossLog struct {
	log    *slog.Logger
	kernel []bpf.Loss // as last read
	table  []bpf.Loss
	logged map[string]uint64 // by reason
	next   time.Time

	undecoded uint64 // records that were malformed, or made the agent panic
	unlisted  uint64 // listings of the running processes that failed
	unrestored
	stack bool // that of a panic was logged
}

// unrestored counts what a previous agent left and this one could not restore.
type unrestored struct {
	processes, waiting, records, items uint64
}

// badTraceparents is the reason in logged of ignored values of TRACEPARENT.
const badTraceparents = "TRACEPARENT not valid"

const lossLogEvery = 10 * time.Second

func newLossLog(log *slog.Logger) lossLog { return lossLog{log: log, logged: make(map[string]uint64)} }

// malformed counts a record that could not be decoded.
func (l *lossLog) malformed(err error) {
	l.undecoded++
	l.log.Debug("record skipped", "error", err)
}

// panicked counts a record that made the agent panic, and logs the first of them.
func (l *lossLog) panicked(cause any) {
	l.undecoded++
	if !l.stack {
		l.stack = true
		l.log.Error("a record made procspan panic and is skipped; please report this", "cause", cause, "stack", string(debug.Stack()))
	}
}

// check logs what was lost since it last did. kernel returns what was lost before it
// reached the agent.
func (l *lossLog) check(kernel func() ([]bpf.Loss, error), stats process.Stats, last bool) {
	losses, err := kernel()
	if err == nil {
		l.kernel = losses
	}
	l.table = []bpf.Loss{
		{Reason: "process evicted: too many are running (kernel.max_processes)", Count: stats.Evicted},
		{Reason: "arguments and paths dropped: those of running processes exceed their memory limit", Count: stats.Shed},
		{Reason: "exit not seen: the end is estimated", Count: stats.Estimated},
		{Reason: "record malformed", Count: l.undecoded},
		{Reason: "listing of running processes failed", Count: l.unlisted},
		{Reason: "saved state: process not restored", Count: l.processes},
		{Reason: "saved state: waiting item not restored", Count: l.waiting},
		{Reason: "saved state: record of another version", Count: l.records},
		{Reason: "saved state: damaged", Count: l.items},
	}
	if !last && time.Now().Before(l.next) {
		return
	}
	if err != nil {
		l.next = time.Now().Add(lossLogEvery)
		l.log.Error("cannot read the loss counters", "error", err)
	}
	for _, loss := range l.all() {
		before := l.logged[loss.Reason]
		if before > loss.Count { // a previous agent's counter, which ended with it
			before = 0
		}
		more := loss.Count - before
		if more == 0 {
			continue
		}
		l.logged[loss.Reason] = loss.Count
		l.next = time.Now().Add(lossLogEvery)
		l.log.Error("lost", "reason", loss.Reason, "count", more, "total", loss.Count)
	}
	if more := stats.BadTraceparent - l.logged[badTraceparents]; more > 0 {
		l.logged[badTraceparents] = stats.BadTraceparent
		l.next = time.Now().Add(lossLogEvery)
		l.log.Warn("TRACEPARENT ignored: not valid by W3C Trace Context", "count", more, "total", stats.BadTraceparent)
	}
}

// all returns every kind of loss, with its count when check was last called.
func (l *lossLog) all() []selfmetrics.Loss {
	all := make([]selfmetrics.Loss, 0, len(l.kernel)+len(l.table))
	for _, loss := range l.kernel {
		all = append(all, selfmetrics.Loss{Stage: selfmetrics.StageKernel, Reason: loss.Reason, Count: loss.Count})
	}
	for _, loss := range l.table {
		all = append(all, selfmetrics.Loss{Stage: selfmetrics.StageTable, Reason: loss.Reason, Count: loss.Count})
	}
	return all
}
