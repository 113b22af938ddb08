package agent

import (
	"log/slog"
	"slices"
	"time"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/process"
)

// lossLog tells of everything that went missing, or was ignored: at once when it begins, then
// every lossLogEvery while it goes on, and at the end.
type lossLog struct {
	log       *slog.Logger
	told      map[string]uint64
	next      time.Time
	undecoded uint64
	// badTraceparent is how many were told of.
	badTraceparent uint64
}

const lossLogEvery = 10 * time.Second

// malformed counts a record that could not be decoded.
func (l *lossLog) malformed(err error) {
	l.undecoded++
	l.log.Debug("record left out", "error", err)
}

// check logs what has been lost since it last did.
func (l *lossLog) check(losses []bpf.Loss, stats process.Stats, last bool) {
	if !last && time.Now().Before(l.next) {
		return
	}
	losses = append(slices.Clip(losses),
		bpf.Loss{Reason: "process forgotten: too many are living (kernel.max_processes)", Count: stats.Evicted},
		bpf.Loss{Reason: "exit not seen: the end is estimated", Count: stats.Estimated},
		bpf.Loss{Reason: "record malformed", Count: l.undecoded},
	)
	if l.told == nil {
		l.told = make(map[string]uint64)
	}
	for _, loss := range losses {
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
	if more := stats.BadTraceparent - l.badTraceparent; more > 0 {
		l.badTraceparent = stats.BadTraceparent
		l.next = time.Now().Add(lossLogEvery)
		l.log.Warn("TRACEPARENT of processes ignored: not valid by W3C Trace Context", "count", more, "total", stats.BadTraceparent)
	}
}
