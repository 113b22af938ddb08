package deliver

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/procspan/procspan/config"
)

// Destination is where one exporter sends a signal, and in what batches.
type Destination struct {
	Batch    config.Batch
	Exporter config.Exporter
	// TLS applies unless the exporter is insecure; nil means the system's roots.
	TLS *tls.Config
	// DropUnfixed drops a batch whose outcome is RetryUntilFixed, instead of waiting for a person.
	DropUnfixed bool
	// Attempted, when set, is called after each attempt to send a batch, with its
	// error.type or "". It runs in the goroutine that sends.
	Attempted Attempted
	// Transport, when set, takes the batches in place of Exporter.
	Transport Transport
}

// Attempted observes an attempt to send a batch.
type Attempted func(took time.Duration, errorType string)

func (d *Destination) limits() limits {
	l := limits{
		delay:      d.Batch.ScheduleDelay,
		batchItems: max(1, min(d.Batch.MaxExportBatchSize, d.Batch.MaxQueueSize)),
		batchSize:  maxBatchBytes,
		size:       maxQueueBytes,
	}
	if to := d.Exporter.File; to != nil && to.Path != config.Stdout {
		l.overflow = FileFull
	}
	l.items = max(d.Batch.MaxQueueSize, l.batchItems)
	return l
}

// connect returns the transport to a destination.
func connect(s Signal, to *Destination, o *Options) (Transport, error) {
	switch {
	case to.Transport != nil:
		return to.Transport, nil
	case to.Exporter.File != nil, to.Exporter.Console != nil:
		return newLines(s, to, o), nil
	case to.Exporter.OTLPHTTP != nil:
		return newHTTP(s, to, o.Scope, o.Version)
	}
	return newGRPC(s, to, o.Scope, o.Version)
}

// pipeline takes the batches of a signal to one destination.
type pipeline struct {
	key     string // see config.Exporter.Key
	backlog *backlog
	sender  *sender

	hurry, cancel context.CancelFunc
	sent, kept    chan struct{} // closed when the goroutine has returned
	retired       chan struct{} // closed when a removed pipeline has ended
}

func (p *pipeline) signal() Signal { return p.backlog.signal }

// newPipeline returns a pipeline that is not started.
func newPipeline(in *Intake, l *link, o *Options) *pipeline {
	b := newBacklog(in, l.to.limits(), &dropLog{signal: in.signal, log: o.Log})
	p := &pipeline{key: l.to.Exporter.Key(), backlog: b, sender: &sender{
		signal: in.signal, backlog: b, log: o.Log,
		warned: map[string]bool{}, lastWarn: map[string]time.Time{},
	}}
	p.use(l)
	return p
}

// use makes l the way to the destination, from the next attempt on. What waits is
// kept.
func (p *pipeline) use(l *link) {
	p.key = l.to.Exporter.Key()
	p.sender.relink(l)
	p.backlog.relink(l)
}

// start starts the goroutines.
func (p *pipeline) start() {
	ctx, cancel := context.WithCancel(context.Background())
	hurry, hurryUp := context.WithCancel(ctx)
	p.cancel, p.hurry = cancel, hurryUp
	p.sent, p.kept = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(p.sent)
		p.sender.run(ctx, hurry)
	}()
	go func() {
		defer close(p.kept)
		p.backlog.keep(ctx)
	}()
}

// shutdown delivers what waits until ctx ends, and stores or drops the rest. The
// intake gives it nothing more.
func (p *pipeline) shutdown(ctx context.Context) {
	p.backlog.close()
	p.hurry()
	select {
	case <-p.sent:
	case <-ctx.Done():
	}
	p.cancel()
	<-p.sent
	<-p.kept
	p.backlog.abandon(p.sender.lastErr)
	p.backlog.drops.close()
	p.sender.close()
}
