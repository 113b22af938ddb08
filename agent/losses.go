package agent

import (
	"log/slog"
	"time"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/selfmetrics"
)

// lossLog tells of everything that went missing, or was ignored: at once when it begins, then
// every lossLogEvery while it goes on, and at the end. For each reason that is one
// record with a count.
type lossLog struct {
	log       *slog.Logger
	kernel    []bpf.Loss // as last read
	table     []bpf.Loss
	told      map[string]uint64
	next      time.Time
	undecoded uint64
}

// badTraceparents is what told has them by.
const badTraceparents = "TRACEPARENT not valid"

const lossLogEvery = 10 * time.Second

// malformed counts a record that could not be decoded.
func (l *lossLog) malformed(err error) {
	l.undecoded++
	l.log.Debug("record left out", "error", err)
}

// check logs what has been lost since it last did. kernel returns what was lost
// before it reached the agent.
func (l *lossLog) check(kernel func() ([]bpf.Loss, error), stats process.Stats, last bool) {
	losses, err := kernel()
	if err == nil {
		l.kernel = losses
	}
	l.table = []bpf.Loss{
		{Reason: "process forgotten: too many are living (kernel.max_processes)", Count: stats.Evicted},
		{Reason: "exit not seen: the end is estimated", Count: stats.Estimated},
		{Reason: "record malformed", Count: l.undecoded},
	}
	if !last && time.Now().Before(l.next) {
		return
	}
	if err != nil {
		l.next = time.Now().Add(lossLogEvery)
		l.log.Error("losses are not known", "error", err)
	}
	if l.told == nil {
		l.told = make(map[string]uint64)
	}
	for _, loss := range l.all() {
		told := l.told[loss.Reason]
		if told > loss.Count { // of an agent before, whose counter has ended with it
			told = 0
		}
		more := loss.Count - told
		if more == 0 {
			continue
		}
		l.told[loss.Reason] = loss.Count
		l.next = time.Now().Add(lossLogEvery)
		l.log.Error("lost", "reason", loss.Reason, "count", more, "total", loss.Count)
	}
	if more := stats.BadTraceparent - l.told[badTraceparents]; more > 0 {
		l.told[badTraceparents] = stats.BadTraceparent
		l.next = time.Now().Add(lossLogEvery)
		l.log.Warn("TRACEPARENT of processes ignored: not valid by W3C Trace Context", "count", more, "total", stats.BadTraceparent)
	}
}

// all returns every loss there can be, as it was when check was last called.
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
