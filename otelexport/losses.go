package otelexport

import (
	"iter"
	"log/slog"
	"sync"
	"time"
)

// reason says why spans or log records were dropped.
type reason int

const (
	queueFull   reason = iota // nobody fetched them in time
	rejected                  // the server accepted their request without them (partial success)
	tooLarge                  // one item alone is more than the server takes
	refused                   // the server's answer rules out a retry
	invalid                   // could not be encoded
	atShutdown                // still waiting when the time to flush was over
	unsupported               // the server does not take this signal at all
	reasons
)

// String returns the name that stands in logs.
func (r reason) String() string {
	return [reasons]string{"queue_full", "rejected", "too_large", "refused", "invalid", "shutdown", "unsupported"}[r]
}

// cure says what whoever reads the log can do about it.
func (r reason) cure() string {
	return [reasons]string{
		queueFull:   "raise the batch processor's max_queue_size (unless 64 MiB wait already), or find out why the collector is slow or away",
		rejected:    "see the collector's log",
		tooLarge:    "lower capture.args_max_bytes, or raise the collector's max_recv_msg_size_mib",
		refused:     "check that the endpoint takes OTLP over gRPC, and see the collector's log",
		invalid:     "report this as a bug of procspan",
		atShutdown:  "check that the collector is up; it can also be that the time to flush is too short",
		unsupported: "send them to a Collector with a pipeline for them, or remove their exporter from the configuration; procspan must then be restarted",
	}[r]
}

// Dropped counts what was given up, by reason.
type Dropped struct {
	QueueFull   uint64 // the queue was full; the oldest went
	Rejected    uint64 // named by the server in a partial success
	TooLarge    uint64 // a single one larger than the server takes
	Refused     uint64 // the server's answer rules out a retry
	Invalid     uint64 // could not be encoded
	Shutdown    uint64 // still waiting when the time to flush was over
	Unsupported uint64 // the server does not take this signal at all
}

// Total returns the sum.
func (d Dropped) Total() uint64 {
	return d.QueueFull + d.Rejected + d.TooLarge + d.Refused + d.Invalid + d.Shutdown + d.Unsupported
}

// All yields each reason, by its name in the logs, and how many it was for.
func (d Dropped) All() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for why, n := range [reasons]uint64{
			queueFull: d.QueueFull, rejected: d.Rejected, tooLarge: d.TooLarge, refused: d.Refused,
			invalid: d.Invalid, atShutdown: d.Shutdown, unsupported: d.Unsupported,
		} {
			if !yield(reason(why).String(), n) {
				return
			}
		}
	}
}

// lossInterval is how often losses are logged at most.
const lossInterval = 10 * time.Second

// losses logs what is lost of one signal: the first at once, those that follow
// as one record per reason and interval. It logs in a goroutine of its own, so
// that whoever reports a loss never waits for the terminal.
type losses struct {
	signal signal
	log    *slog.Logger
	scrub  scrubber

	mu      sync.Mutex
	pending [reasons]loss
	last    time.Time   // of the last record
	timer   *time.Timer // armed while something is pending
	closed  bool
	running sync.WaitGroup // armed timers
}

// loss is what happened since the last record.
type loss struct {
	items  int
	detail string // what was said about the latest of them
}

// add reports the loss of n items; detail is an error's text, or "".
func (l *losses) add(why reason, n int, detail string) {
	if n == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending[why].items += n
	if detail != "" {
		l.pending[why].detail = detail
	}
	if l.timer == nil && !l.closed {
		l.running.Add(1)
		l.timer = time.AfterFunc(time.Until(l.last.Add(lossInterval)), func() {
			defer l.running.Done()
			l.flush()
		})
	}
}

func (l *losses) flush() {
	l.mu.Lock()
	pending := l.pending
	l.pending = [reasons]loss{}
	l.last = time.Now()
	l.timer = nil
	l.mu.Unlock()
	for why, lost := range pending {
		if lost.items == 0 {
			continue
		}
		args := []any{"reason", reason(why).String(), l.signal.key(), lost.items}
		if lost.detail != "" {
			args = append(args, "error", l.scrub.clean(lost.detail))
		}
		l.log.Warn(string(l.signal)+" dropped", append(args, "cure", reason(why).cure())...)
	}
}

// close logs what is pending, and nothing after that.
func (l *losses) close() {
	l.mu.Lock()
	l.closed = true
	if l.timer != nil && l.timer.Stop() {
		l.running.Done()
	}
	l.mu.Unlock()
	l.running.Wait()
	l.flush()
}
