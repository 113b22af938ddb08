package otelexport

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// firstPause and maxPause bound the exponential pauses between attempts.
	// The longest is short because the network is not what it spares: a
	// connection that is broken costs nothing, and the server can ask for more.
	firstPause = 500 * time.Millisecond
	maxPause   = 5 * time.Second
	// maxThrottle bounds what a server may ask for by RetryInfo.
	maxThrottle = time.Minute
	// sayAgain is how long a trouble that comes back is not mentioned again.
	sayAgain = time.Minute
)

// link is one way to a collector.
type link interface {
	// upload makes one attempt to send a batch.
	upload(ctx context.Context, parts []part) (*partialSuccess, error)
	// mend waits for ctx to end, less if a broken connection works again.
	mend(ctx context.Context)
}

// delivery takes batches of one signal from the queue and sends them, one at a
// time, oldest first. What fails and may be sent again goes back to the head of
// the queue, where it is the first to be dropped when the queue is full.
type delivery struct {
	signal   signal
	queue    *queue
	link     link
	log      *slog.Logger
	losses   *losses
	scrub    scrubber
	endpoint string

	failures int                 // attempts that failed since the last that did not
	since    time.Time           // of the first of them
	lastErr  string              // text of the last of them
	said     map[codes.Code]bool // what the log knows about them
	lastSaid map[codes.Code]time.Time
}

// run delivers until the queue is closed and empty, until ctx ends, or until the
// server turns out not to take log records. The end of hurry cuts a pause short,
// so that a shutdown begins with an attempt.
func (d *delivery) run(ctx, hurry context.Context) {
	for {
		b := d.queue.take(ctx)
		if b == nil {
			return
		}
		partial, err := d.link.upload(ctx, b.parts)
		if err == nil {
			d.delivered(b, partial)
			continue
		}
		if ctx.Err() != nil {
			d.lost(queueFull, d.queue.putBack(b), "") // the rest is counted at the shutdown
			return
		}
		if d.signal == signalLogRecords && unimplemented(err) {
			d.mute(b, err)
			return
		}
		what, delay := judge(err)
		switch {
		case what == retry:
			d.lost(queueFull, d.queue.putBack(b), "")
			d.trouble(err)
			d.pause(ctx, hurry, delay)
		case what == split && b.items > 1:
			d.queue.limitBatch(b.size / 2)
			first, second := b.split()
			d.lost(queueFull, d.queue.putBack(first, second), "")
		case what == split:
			d.queue.drop(b, tooLarge)
			d.lost(tooLarge, 1, status.Convert(err).Message())
		default:
			d.queue.drop(b, refused)
			d.lost(refused, b.items, status.Convert(err).Code().String()+": "+status.Convert(err).Message())
		}
	}
}

func (d *delivery) lost(why reason, items int, detail string) {
	d.losses.add(why, items, detail)
}

// mute ends the signal, because the server does not take it: what waits and
// what will come is dropped.
func (d *delivery) mute(b *batch, err error) {
	d.queue.drop(b, unsupported)
	d.queue.mute()
	d.log.Warn(string(d.signal)+" are not sent: the endpoint does not take them", "endpoint", d.endpoint,
		"error", d.scrub.clean(status.Convert(err).Message()), "cure", unsupported.cure())
}

// delivered ends a batch that arrived, in whole or in part.
func (d *delivery) delivered(b *batch, partial *partialSuccess) {
	n := int(min(max(0, partial.GetRejectedSpans()), int64(b.items)))
	msg := partial.GetErrorMessage()
	waited := d.queue.stats().Waiting
	d.queue.settle(b, n)
	if n > 0 {
		d.lost(rejected, n, msg)
	} else if msg != "" {
		// All were taken: by the specification this is a warning, for people.
		d.warn(codes.OK, "collector has a remark", "message", d.scrub.clean(msg))
	}
	if len(d.said) > 0 {
		d.log.Info("delivery works again", "endpoint", d.endpoint,
			d.signal.key()+"_waited", waited, "after", time.Since(d.since).Round(time.Millisecond))
	}
	d.failures, d.lastErr = 0, ""
	clear(d.said)
}

// trouble says that items wait, once for each kind of failure until delivery
// works again.
func (d *delivery) trouble(err error) {
	s := status.Convert(err)
	if d.failures == 0 {
		d.since = time.Now()
	}
	d.failures++
	d.lastErr = s.Message()
	if !d.said[s.Code()] && d.warn(s.Code(), string(d.signal)+" cannot be delivered; they wait and are sent again",
		"endpoint", d.endpoint, "code", s.Code().String(), "error", d.scrub.clean(s.Message()), "cure", cureFor(err)) {
		d.said[s.Code()] = true
	}
}

// warn logs, unless the same was logged less than sayAgain ago. It reports
// whether it did.
func (d *delivery) warn(code codes.Code, msg string, args ...any) bool {
	now := time.Now()
	if last, ok := d.lastSaid[code]; ok && now.Sub(last) < sayAgain {
		return false
	}
	d.lastSaid[code] = now
	d.log.Warn(msg, args...)
	return true
}

// pause waits before the next attempt: as long as the server asked for, or
// exponentially longer with each failure and then less when a connection that
// was broken works again.
func (d *delivery) pause(ctx, hurry context.Context, asked time.Duration) {
	if hurry.Err() == nil {
		ctx = hurry
	}
	if asked > 0 {
		sleep(ctx, min(asked, maxThrottle))
		return
	}
	pause := min(firstPause<<min(d.failures-1, 10), maxPause)
	pause -= rand.N(pause / 2) // agents that failed together do not return together
	// A server that accepts connections only to drop them would have us go in
	// circles: some of the pause is always kept.
	least := min(pause, firstPause/2)
	sleep(ctx, least)
	rest, cancel := context.WithTimeout(ctx, pause-least)
	defer cancel()
	d.link.mend(rest)
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
