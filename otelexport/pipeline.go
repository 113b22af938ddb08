package otelexport

import (
	"context"
	"crypto/tls"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/spool"
)

// Destination is where one signal goes, and in what batches.
type Destination struct {
	Batch    config.Batch
	Exporter config.OTLPGRPC
	// TLS holds unless Exporter.Insecure; nil is the system's roots.
	TLS *tls.Config
	// Attempted, when set, is told of each attempt to send a batch.
	Attempted Attempted
}

// attempt bounds one attempt by the shorter of the two that are configured; 0
// is none.
func (to *Destination) attempt() time.Duration {
	a, b := to.Batch.ExportTimeout, to.Exporter.Timeout
	if a <= 0 || b <= 0 {
		return max(a, b, 0)
	}
	return min(a, b)
}

// pipeline takes the items of one signal to their destination. A nil one is that
// of a signal that is not sent.
type pipeline struct {
	queue    *queue
	losses   *losses
	delivery *delivery
	close    func() // closes the delivery's link

	hurry, cancel context.CancelFunc // end the delivery's contexts
	done          chan struct{}      // closed when the delivery has returned
}

// openPipeline returns a pipeline that is ready to start, or nil where there is
// no destination. store may be nil.
func openPipeline(s signal, to *Destination, store *spool.Store, version string, log *slog.Logger) (*pipeline, error) {
	if to == nil {
		leave(s, store, log)
		return nil, nil
	}
	link, err := connect(s, to, version)
	if err != nil {
		return nil, err
	}
	p := newPipeline(s, to, timed(link, to.Attempted), store, log)
	p.close = link.close
	return p, nil
}

// newPipeline returns a pipeline over a link.
func newPipeline(s signal, to *Destination, over link, store *spool.Store, log *slog.Logger) *pipeline {
	scrub := newScrubber(to.Exporter.Headers)
	b := to.Batch
	p := &pipeline{
		queue: newQueue(limits{
			delay:      b.ScheduleDelay,
			batchItems: min(b.MaxExportBatchSize, b.MaxQueueSize),
			batchSize:  maxBatchBytes,
			items:      b.MaxQueueSize,
			size:       maxQueueBytes,
		}),
		losses: &losses{signal: s, log: log, scrub: scrub},
		close:  func() {},
		done:   make(chan struct{}),
	}
	p.delivery = &delivery{
		signal:   s,
		queue:    p.queue,
		shelf:    newShelf(s, store, p.queue, p.losses),
		link:     over,
		log:      log,
		losses:   p.losses,
		scrub:    scrub,
		endpoint: to.Exporter.Target,
		said:     map[codes.Code]bool{},
		lastSaid: map[codes.Code]time.Time{},
	}
	return p
}

// start puts the pipeline to work.
func (p *pipeline) start() {
	if p == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	hurry, hurryUp := context.WithCancel(ctx)
	p.cancel, p.hurry = cancel, hurryUp
	go func() {
		defer close(p.done)
		p.delivery.run(ctx, hurry)
	}()
}

// discard ends a pipeline that was not started.
func (p *pipeline) discard() {
	if p != nil {
		p.close()
	}
}

// wants reports whether to encode the next item, for push. Where not, that is
// all there is to do.
func (p *pipeline) wants() bool { return p != nil && !p.queue.turnAway() }

// push takes a copy of an encoded item of resource r, or the error that there is
// instead.
func (p *pipeline) push(item []byte, err error, r *Resource) {
	if err != nil {
		p.queue.reject()
		p.losses.add(invalid, 1, err.Error())
		return
	}
	dropped, why := p.queue.push(item, r)
	p.losses.add(why, dropped, "")
}

func (p *pipeline) stats() Stats {
	if p == nil {
		return Stats{}
	}
	return p.queue.stats()
}

// shutdown delivers what waits, until ctx ends, and stores or drops the rest.
func (p *pipeline) shutdown(ctx context.Context) {
	if p == nil {
		return
	}
	p.queue.close()
	p.hurry()
	select {
	case <-p.done:
	case <-ctx.Done():
	}
	p.cancel()
	<-p.done
	p.losses.add(atShutdown, p.queue.abandon(), p.delivery.lastErr)
	p.losses.close()
	p.close()
}
