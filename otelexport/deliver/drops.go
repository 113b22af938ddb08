package deliver

import (
	"log/slog"
	"sync"
	"time"
)

// Reason says why items were dropped.
type Reason int

// The reasons.
const (
	QueueFull    Reason = iota // memory was full; the oldest went
	FileFull                   // memory was full, since the output file could not be written
	Rejected                   // refused by a partial success
	TooLarge                   // a single one exceeds what the collector or the queue takes
	TooOld                     // older than the back end accepts, it says
	Refused                    // the collector's answer rules out a retry
	Unclear                    // answers that are not the collector's, for too long
	Invalid                    // could not be encoded
	Shutdown                   // still waiting when the time to flush was over
	Unsupported                // the endpoint does not take this signal
	StoreFull                  // the oldest on disk, when the store was full
	StoreExpired               // too long on disk
	StoreCorrupt               // in a store that was corrupt or removed
	reasons
)

var reasonTable = [reasons]struct {
	name, hint string
	afterSend  bool
}{
	QueueFull:    {name: "queue_full", hint: "raise max_queue_size of the batch processor (the queue is also limited to 64 MiB), or find out why the collector is slow or unreachable"},
	FileFull:     {name: "file_full", hint: "free space on the file system of output_stream, or lower files.max_size and files.keep"},
	Rejected:     {name: "rejected", hint: "see the collector's log", afterSend: true},
	TooLarge:     {name: "too_large", hint: "lower capture.args_max_bytes, or raise the collector's limit (max_recv_msg_size_mib, or max_request_body_size for HTTP)", afterSend: true},
	TooOld:       {name: "too_old", hint: "set delivery.max_age to what the back end accepts; a dropped span was queued for longer, or this machine's clock is wrong", afterSend: true},
	Refused:      {name: "refused", hint: "check that the endpoint accepts OTLP over the configured protocol, and see the collector's log", afterSend: true},
	Unclear:      {name: "unclear", hint: "check the proxy or load balancer between procspan and the collector", afterSend: true},
	Invalid:      {name: "invalid", hint: "please report this as a bug of procspan"},
	Shutdown:     {name: "shutdown", hint: "check that the collector is up; the time to flush may also be too short"},
	Unsupported:  {name: "unsupported", hint: "send them to a Collector with a pipeline for them, or remove their exporter from the configuration", afterSend: true},
	StoreFull:    {name: "store_full", hint: "raise delivery.max_size, or find out why the collector is slow or unreachable"},
	StoreExpired: {name: "store_expired", hint: "raise delivery.max_age, or find out why the collector is unreachable"},
	StoreCorrupt: {name: "store_corrupt", hint: "check the disk of delivery.directory"},
}

// String returns the name in logs and metrics.
func (r Reason) String() string { return reasonTable[r].name }

// AfterSend reports whether items are dropped for this reason after an attempt to
// export them.
func (r Reason) AfterSend() bool { return reasonTable[r].afterSend }

// Drops counts dropped items by Reason.
type Drops [reasons]uint64

// Total returns the sum.
func (d Drops) Total() (n uint64) {
	for _, more := range d {
		n += more
	}
	return n
}

// dropInterval is the minimum interval between reports of drops.
const dropInterval = 10 * time.Second

// dropLog logs the drops of one signal: the first at once, later ones as one record
// per reason and interval. It logs in a goroutine of its own, so that add never
// waits for the terminal.
type dropLog struct {
	signal Signal
	log    *slog.Logger

	mu      sync.Mutex
	link    *link
	pending [reasons]struct {
		items  int
		detail string // the latest
	}
	last    time.Time   // of the last report
	timer   *time.Timer // armed while something is pending
	closed  bool
	running sync.WaitGroup // armed timers
}

// relink makes l the destination that is named.
func (l *dropLog) relink(to *link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.link = to
}

func (l *dropLog) reopen() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = false
}

// add reports n dropped items; detail is an error's text, or "".
func (l *dropLog) add(why Reason, n int, detail string) {
	if n == 0 || why == Unsupported { // the sender logs that once for all
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
		l.timer = time.AfterFunc(time.Until(l.last.Add(dropInterval)), func() {
			defer l.running.Done()
			l.flush()
		})
	}
}

func (l *dropLog) flush() {
	l.mu.Lock()
	pending := l.pending
	clear(l.pending[:])
	l.last = time.Now()
	l.timer = nil
	to := l.link
	l.mu.Unlock()
	for i, dropped := range pending {
		if dropped.items == 0 {
			continue
		}
		args := []any{"reason", Reason(i).String(), l.signal.key(), dropped.items}
		if dropped.detail != "" {
			args = append(args, "error", to.scrub.clean(dropped.detail))
		}
		l.log.Warn(string(l.signal)+" dropped", append(args, "endpoint", to.target(), "hint", reasonTable[i].hint)...)
	}
}

// close logs what is pending, and nothing after that.
func (l *dropLog) close() {
	l.mu.Lock()
	l.closed = true
	if l.timer != nil && l.timer.Stop() {
		l.running.Done()
	}
	l.mu.Unlock()
	l.running.Wait()
	l.flush()
}
