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

// delivery takes batches of one signal and sends them, one at a time: from the
// queue, oldest first, and in turn with those, the oldest on the shelf. What fails
// and may be sent again goes on the shelf, with all that waits, until the server
// is back. Without a shelf, or while the disk fails, it goes back to the head of
// the queue, where it is the first to be dropped when the queue is full.
type delivery struct {
	signal   signal
	queue    *queue
	shelf    *shelf
	link     link
	log      *slog.Logger
	losses   *losses
	scrub    scrubber
	endpoint string

	shelfLast bool // what was sent last came from the shelf

	failures int                 // attempts that failed since the last that did not
	since    time.Time           // of the first of them
	lastErr  string              // text of the last of them
	said     map[codes.Code]bool // what the log knows about them
	lastSaid map[codes.Code]time.Time
}

// run delivers until the queue is closed and empty, until ctx ends, or until the
// server turns out not to take log records. The end of hurry cuts a pause short,
// so that a shutdown begins with an attempt. What waits at the end is stored.
func (d *delivery) run(ctx, hurry context.Context) {
	for {
		b := d.next(ctx)
		if b == nil {
			d.storeRest()
			return
		}
		var partial *partialSuccess
		var err error
		d.meanwhile(func() { partial, err = d.link.upload(ctx, b.parts) })
		if err == nil {
			d.delivered(b, partial)
			continue
		}
		if ctx.Err() != nil {
			d.giveBack(b, b)
			d.storeRest()
			return // what is not stored is counted at the shutdown
		}
		if d.signal == signalLogRecords && unimplemented(err) {
			d.mute(b, err)
			return
		}
		what, delay := judge(err)
		switch {
		case what == retry:
			d.trouble(err)
			d.giveBack(b, b)
			if hurry.Err() != nil {
				if d.storeAll(); d.queue.empty() {
					return // all is stored: for the next run
				}
			}
			d.meanwhile(func() { d.pause(ctx, hurry, delay) })
		case what == split && b.items > 1:
			d.queue.limitBatch(b.size / 2)
			first, second := b.split()
			d.giveBack(b, first, second)
		case what == split:
			d.drop(b, tooLarge, status.Convert(err).Message())
		default:
			d.drop(b, refused, status.Convert(err).Code().String()+": "+status.Convert(err).Message())
		}
	}
}

// next returns what to send: in turn the oldest in memory and the oldest on the
// shelf, so that what is new is seen soon and the backlog goes down all the same.
// It waits for one, and returns nil as the queue's take does.
func (d *delivery) next(ctx context.Context) *batch {
	if d.failures > 0 {
		// All is on its way to the disk; a batch from memory that failed again would
		// come there after those behind it.
		d.store(true)
		d.shelfLast = false
	}
	if d.shelfLast {
		d.shelfLast = false
		if b := d.queue.poll(); b != nil {
			return b
		}
	}
	if ctx.Err() == nil {
		if b := d.shelf.take(); b != nil {
			d.shelfLast = true
			return b
		}
	}
	return d.queue.take(ctx)
}

// meanwhile runs what waits for the server, and stores what should not wait in
// memory so long.
func (d *delivery) meanwhile(wait func()) {
	if d.shelf.lane == nil {
		wait()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		wait()
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-done: // though there may be more to store: a slow disk holds up nothing
			return
		default:
		}
		timer.Reset(d.store(d.failures > 0))
		select {
		case <-done:
			return
		case <-d.queue.wake:
		case <-timer.C:
		}
	}
}

// store takes to the disk, by one write, what waits in memory: batches that are
// full or due, or where all are not wanted, those that crowd the queue. It returns
// how long until there may be more.
func (d *delivery) store(all bool) (wait time.Duration) {
	if !d.shelf.ready() {
		return storeAgain
	}
	some, wait := d.queue.takeForDisk(all, maxStoring)
	if len(some) == 0 {
		return wait
	}
	if !d.shelf.put(some...) {
		d.lost(queueFull, d.queue.putBack(some, some...), "")
		return storeAgain
	}
	return 0
}

// storeAll takes all that waits to the disk. The queue must be closed: where the
// disk is slower than what comes, there is no end to it.
func (d *delivery) storeAll() {
	for d.store(true) == 0 {
	}
}

// storeRest takes all that is left to the disk, however it did of late.
func (d *delivery) storeRest() {
	d.shelf.retry()
	d.storeAll()
}

// giveBack returns a batch that was taken to where it waits, whole or in parts.
func (d *delivery) giveBack(b *batch, parts ...*batch) {
	if d.shelf.giveBack(b, parts...) {
		return
	}
	for _, p := range parts {
		p.key = "" // the store has it no more
	}
	if len(parts) == 1 && d.shelf.put(b) {
		return
	}
	d.lost(queueFull, d.queue.putBack([]*batch{b}, parts...), "")
}

// drop gives up a batch that was taken.
func (d *delivery) drop(b *batch, why reason, detail string) {
	d.shelf.remove(b)
	d.queue.drop(b, why)
	d.lost(why, b.items, detail)
}

func (d *delivery) lost(why reason, items int, detail string) {
	d.losses.add(why, items, detail)
}

// mute ends the signal, because the server does not take it: what waits and
// what will come is dropped.
func (d *delivery) mute(b *batch, err error) {
	d.shelf.remove(b)
	d.queue.drop(b, unsupported)
	d.queue.mute()
	d.shelf.clear(unsupported)
	d.log.Warn(string(d.signal)+" are not sent: the endpoint does not take them", "endpoint", d.endpoint,
		"error", d.scrub.clean(status.Convert(err).Message()), "cure", unsupported.cure())
}

// delivered ends a batch that arrived, in whole or in part.
func (d *delivery) delivered(b *batch, partial *partialSuccess) {
	n := int(min(max(0, partial.GetRejectedSpans()), int64(b.items)))
	msg := partial.GetErrorMessage()
	before := d.queue.stats()
	waited := before.Waiting + before.Stored
	d.shelf.remove(b)
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
