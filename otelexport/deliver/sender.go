package deliver

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// firstPause and maxPause bound the exponential pauses between attempts. The
	// longest is short: an attempt on a broken connection costs nothing, and the
	// collector can ask for more.
	firstPause = 500 * time.Millisecond
	maxPause   = 5 * time.Second
	// maxThrottle bounds the wait that a collector may ask for.
	maxThrottle = time.Minute
	// warnInterval is the minimum interval between repeats of a warning.
	warnInterval = time.Minute
	// patience is how long a batch is sent again after unclear answers.
	patience = 2 * time.Minute
)

// link is the way to a destination.
type link struct {
	transport Transport
	to        *Destination
	scrub     scrubber
	// replaced ends when the sender has another one.
	replaced context.Context
	replace  context.CancelFunc
}

func newLink(t Transport, to *Destination) *link {
	l := &link{transport: t, to: to, scrub: newScrubber(to.Exporter.Common().Headers)}
	l.replaced, l.replace = context.WithCancel(context.Background())
	return l
}

func (l *link) target() string { return l.to.Exporter.Target() }

// sender sends the batches of a backlog, one at a time.
type sender struct {
	signal  Signal
	backlog *backlog
	log     *slog.Logger

	*link // of the present attempt
	mu    sync.Mutex
	next  *link // of the next one

	failures int       // consecutive failed attempts
	since    time.Time // of the first of them
	unclear  time.Time // of the first unclear answer to the present batch, or zero
	lastErr  string
	warned   map[string]bool // codes warned about since the last delivery
	lastWarn map[string]time.Time
}

// run sends until the backlog is closed and has nothing more to send, or until ctx
// ends. The end of hurry cuts a pause short, so that a shutdown begins with an
// attempt.
func (s *sender) run(ctx, hurry context.Context) {
	for {
		b := s.backlog.next(ctx)
		if b == nil {
			return
		}
		s.changeLink()
		v := s.attempt(ctx, b)
		s.report(v)
		s.backlog.done(b, v)
		if v.Outcome == Retry {
			s.pause(ctx, hurry, v.Wait)
		}
	}
}

// relink sets the link of the next attempt, and cuts a pause short.
func (s *sender) relink(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		s.next.replace()
		if s.next != s.link {
			s.next.transport.Close() // it was never used
		}
	}
	s.next = l
}

// destination returns that of the next attempt.
func (s *sender) destination() *Destination {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next.to
}

// changeLink takes up the link that was set.
func (s *sender) changeLink() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link == s.next {
		return
	}
	if s.link != nil {
		s.transport.Close()
		s.failures, s.unclear, s.lastErr = 0, time.Time{}, ""
		clear(s.warned)
		clear(s.lastWarn)
	}
	s.link = s.next
}

// close releases the connection. The sender does not run.
func (s *sender) close() {
	s.changeLink()
	s.transport.Close()
	s.replace()
}

// attempt sends a batch once, and settles what the Verdict leaves open.
func (s *sender) attempt(ctx context.Context, b *batch) Verdict {
	begin := time.Now()
	v := s.transport.Upload(ctx, b.parts)
	if s.to.Attempted != nil {
		s.to.Attempted(time.Since(begin), v.errorType())
	}
	v.Rejected = min(max(0, v.Rejected), b.items)
	switch {
	case v.Outcome == Delivered:
	case ctx.Err() != nil:
		v = Verdict{Outcome: Retry} // the shutdown cut it short
	case v.Outcome == RetryUntilFixed:
		v.Outcome = Retry
		if s.to.DropUnfixed {
			v.Outcome = Final
		}
	case v.Outcome == UnsupportedSignal && s.signal == Spans:
		v.Outcome = Final
	}
	return s.bound(v)
}

// bound ends the patience with unclear answers.
func (s *sender) bound(v Verdict) Verdict {
	switch {
	case v.Outcome != UnclearAnswer:
		s.unclear = time.Time{}
	case s.unclear.IsZero():
		s.unclear = time.Now()
		fallthrough
	case time.Since(s.unclear) < patience:
		v.Outcome = Retry
	default: // the next batch gets its own chance
		s.unclear = time.Time{}
	}
	return v
}

// report logs a failure once per code until the next delivery, and the delivery.
func (s *sender) report(v Verdict) {
	switch {
	case v.Outcome == Delivered:
		if v.Rejected == 0 && v.Message != "" {
			// By the specification a warning, for people.
			s.warn(v.Code, "collector returned a warning", "message", s.scrub.clean(v.Message))
		}
		if len(s.warned) > 0 {
			stats, _ := s.backlog.stats()
			s.log.Info("export recovered", "signal", string(s.signal), "endpoint", s.target(),
				s.signal.key()+"_waited", stats.Waiting+stats.Stored, "after", time.Since(s.since).Round(time.Millisecond))
		}
		s.failures, s.lastErr = 0, ""
		clear(s.warned)
	case v.Code == "" || v.Outcome == Split:
	case v.Outcome == Retry:
		s.failed(v, "export failed, will retry")
	case v.Outcome == UnsupportedSignal:
		s.failed(v, "endpoint does not accept "+string(s.signal)+", will try again in "+muteFor.String())
	}
}

func (s *sender) failed(v Verdict, msg string) {
	if s.failures == 0 {
		s.since = time.Now()
	}
	s.failures++
	s.lastErr = v.Message
	if !s.warned[v.Code] && s.warn(v.Code, msg, "signal", string(s.signal), "endpoint", s.target(), "code", v.Code, "error", s.scrub.clean(v.Message), "hint", v.Hint) {
		s.warned[v.Code] = true
	}
}

// warn logs unless it did for the same code less than warnInterval ago. It reports
// whether it did.
func (s *sender) warn(code, msg string, args ...any) bool {
	now := time.Now()
	if last, ok := s.lastWarn[code]; ok && now.Sub(last) < warnInterval {
		return false
	}
	s.lastWarn[code] = now
	s.log.Warn(msg, args...)
	return true
}

// pause waits before the next attempt: as long as the collector asked for, or
// exponentially longer with each failure, but less if a broken connection recovers.
func (s *sender) pause(ctx, hurry context.Context, asked time.Duration) {
	if hurry.Err() == nil {
		ctx = hurry
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.replaced, cancel)()
	if asked > 0 {
		sleep(ctx, min(asked, maxThrottle))
		return
	}
	pause := min(firstPause<<min(max(0, s.failures-1), 10), maxPause)
	pause -= rand.N(pause / 2) // agents that failed together do not return together
	// Some of the pause always remains: a server may accept connections only to
	// drop them.
	least := min(pause, firstPause/2)
	sleep(ctx, least)
	rest, end := context.WithTimeout(ctx, pause-least)
	defer end()
	s.transport.Recover(rest)
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
