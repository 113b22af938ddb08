package deliver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/spool"
)

// Options configure an Outbox.
type Options struct {
	// Traces take the spans, Logs the log records, each all of them, and at most
	// MaxExporters; none disables the signal.
	Traces, Logs []*Destination
	// Store says where items wait on disk.
	Store config.Delivery
	// Scope holds the fields of ScopeSpans, and of ScopeLogs, that are not the items.
	Scope []byte
	// Files bounds the files that File exporters write; Stdout is for those that write to
	// standard output.
	Files  config.Files
	Stdout io.Writer
	// Version is the agent's own.
	Version string
	Log     *slog.Logger
}

func (o *Options) destinations() [signals][]*Destination {
	return [signals][]*Destination{o.Traces, o.Logs}
}

// Outbox delivers the items of both signals. One goroutine pushes, and calls Replace
// and what snapshot.go has.
type Outbox struct {
	Spans, LogRecords *Intake
	store             *spool.Store
	log               *slog.Logger
	former            former

	stop     sync.Once
	retiring sync.WaitGroup
	cut      context.CancelFunc // cuts short what retiring pipelines deliver
	uncut    context.Context

	mu   sync.Mutex
	live []*pipeline // in the order of the signals and of the configuration
	old  []*pipeline // replaced, and not needed since
}

// retireWithin bounds the delivery of what waits for an exporter that was removed.
const retireWithin = 10 * time.Second

// Open returns a running outbox. It connects when there is something to deliver. A
// store that another process uses is an error (*spool.InUseError).
func Open(o Options) (*Outbox, error) {
	links, err := connectAll(&o)
	if err != nil {
		return nil, err
	}
	store, err := openStore(o)
	if err != nil {
		discard(links)
		return nil, err
	}
	b := &Outbox{Spans: &Intake{signal: Spans}, LogRecords: &Intake{signal: LogRecords}, store: store, log: o.Log}
	b.uncut, b.cut = context.WithCancel(context.Background())
	for signal, in := range b.intakes() {
		for _, l := range links[signal] {
			b.live = append(b.live, newPipeline(in, l, &o))
		}
		in.setLines(b.lines(in))
		b.openLanes(signal, in)
	}
	b.former = b.sameExporters()
	for _, p := range b.live {
		p.start()
	}
	return b, nil
}

func (b *Outbox) intakes() [signals]*Intake { return [...]*Intake{b.Spans, b.LogRecords} }

// connectAll returns a link to each destination, by signal.
func connectAll(o *Options) (links [signals][]*link, err error) {
	for signal, all := range o.destinations() {
		if len(all) > MaxExporters {
			discard(links)
			return links, fmt.Errorf("prepare export: %d exporters of %s; at most %d are supported", len(all), allSignals[signal], MaxExporters)
		}
		for _, to := range all {
			t, err := connect(allSignals[signal], to, o)
			if err != nil {
				discard(links)
				return links, err
			}
			links[signal] = append(links[signal], newLink(t, to))
		}
	}
	return links, nil
}

func discard(links [signals][]*link) {
	for _, l := range slices.Concat(links[:]...) {
		l.transport.Close()
		l.replace()
	}
}

// lines returns the backlogs of a signal.
func (b *Outbox) lines(in *Intake) (lines []*backlog) {
	for _, p := range b.live {
		if p.backlog.in == in {
			lines = append(lines, p.backlog)
		}
	}
	return lines
}

// keys returns the keys of a signal's exporters.
func (b *Outbox) keys(signal int) (keys []string) {
	for _, p := range b.live {
		if p.signal() == allSignals[signal] {
			keys = append(keys, p.key)
		}
	}
	return keys
}

// pipelines returns those that take items.
func (b *Outbox) pipelines() []*pipeline {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.live)
}

// openLanes gives the exporters of a signal their lanes of the store. What nobody
// takes stays there, within its limits.
func (b *Outbox) openLanes(signal int, in *Intake) {
	if b.store == nil {
		return
	}
	lanes, left, err := assign(b.store, in.signal, b.keys(signal))
	b.warnKeys(err)
	for i, line := range in.lines {
		line.lane = b.store.Lane(lanes[i], line)
	}
	for _, name := range left {
		b.store.Lane(name, leftover{in.signal, b.log})
	}
}

// Replace changes the destinations. An exporter with the same endpoint, or in the
// place of one whose endpoint has changed, goes on with what waits. One that was
// removed has retireWithin to deliver it; then it is stored or dropped. After an
// error nothing has changed. The store stays as it is.
func (b *Outbox) Replace(o Options) error {
	links, err := connectAll(&o)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var live, removed []*pipeline
	for signal, in := range b.intakes() {
		next := b.place(in, links[signal])
		for i, l := range links[signal] {
			if next[i] == nil {
				next[i] = newPipeline(in, l, &o)
				b.giveLane(next[i])
				next[i].start()
			}
		}
		live = append(live, next...)
	}
	for _, p := range b.live {
		if !slices.Contains(live, p) {
			removed = append(removed, p)
		}
	}
	b.live = live
	for _, in := range b.intakes() {
		in.setLines(b.lines(in))
	}
	for _, p := range removed {
		b.retire(p)
	}
	return nil
}

// place gives the pipelines of a signal their next destinations, also those of removed
// exporters that are there again. It returns the pipeline of each destination, nil
// where there is none.
func (b *Outbox) place(in *Intake, links []*link) []*pipeline {
	next := make([]*pipeline, len(links))
	var all []*pipeline
	var former, present []string
	for _, p := range slices.Concat(b.live, b.old) {
		if p.backlog.in == in {
			all, former = append(all, p), append(former, p.key)
		}
	}
	for _, l := range links {
		present = append(present, l.to.Exporter.Key())
	}
	for i, at := range match(former, present) {
		p, removed := all[i], slices.Contains(b.old, all[i])
		if at < 0 || removed && p.key != present[at] {
			continue
		}
		next[at] = p
		if !removed {
			p.use(links[at])
			continue
		}
		b.old = slices.DeleteFunc(b.old, func(other *pipeline) bool { return other == p })
		p.cancel()
		<-p.retired
		p.backlog.reopen()
		p.use(links[at])
		p.start()
	}
	return next
}

// giveLane gives a pipeline a lane of the store that nobody uses.
func (b *Outbox) giveLane(p *pipeline) {
	if b.store == nil {
		return
	}
	s := p.signal()
	known, err := b.store.Keys(s.key())
	name := freshLane(s, known)
	known[name] = p.key
	b.warnKeys(errors.Join(err, b.store.SetKeys(s.key(), known)))
	p.backlog.lane = b.store.Lane(name, p.backlog)
}

func (b *Outbox) warnKeys(err error) {
	if err != nil {
		b.log.Warn("cannot note which exporter stored what; if the exporters change, another one may send it", "error", err)
	}
}

// retire ends a pipeline whose exporter was removed.
func (b *Outbox) retire(p *pipeline) {
	b.old = append(b.old, p)
	p.retired = make(chan struct{})
	b.retiring.Go(func() {
		defer close(p.retired)
		ctx, cancel := context.WithTimeout(b.uncut, retireWithin)
		defer cancel()
		p.shutdown(ctx)
	})
}

// State is one exporter of a signal at one moment.
type State struct {
	Signal   Signal
	Index    int // in the order of the configuration
	Exporter config.Exporter
	Removed  bool // by Replace
	Stats    Stats
	Depth    Depth
	// Missed are items that were pushed while the exporter was not there.
	Missed uint64
}

// States returns all exporters. Any goroutine may call it.
func (b *Outbox) States() (all []State) {
	b.mu.Lock()
	live, old := slices.Clone(b.live), slices.Clone(b.old)
	b.mu.Unlock()
	next := map[Signal]int{}
	for i, p := range slices.Concat(live, old) {
		s := State{Signal: p.signal(), Index: next[p.signal()], Exporter: p.sender.destination().Exporter,
			Removed: i >= len(live), Depth: p.backlog.depth()}
		s.Stats, s.Missed = p.backlog.stats()
		next[p.signal()]++
		all = append(all, s)
	}
	slices.SortStableFunc(all, func(a, b State) int {
		return cmp.Compare(slices.Index(allSignals[:], a.Signal), slices.Index(allSignals[:], b.Signal))
	})
	return all
}

// Stats returns the books of each signal's first exporter. Any goroutine may call it.
func (b *Outbox) Stats() (spans, logRecords Stats) {
	for _, s := range slices.Backward(b.States()) {
		if s.Signal == Spans {
			spans = s.Stats
		} else {
			logRecords = s.Stats
		}
	}
	return spans, logRecords
}

// Shutdown delivers what waits until ctx ends. The rest is stored or, without a
// store, dropped, counted and logged. When it returns, no goroutine of the outbox
// runs. Items pushed later are dropped and counted.
func (b *Outbox) Shutdown(ctx context.Context) {
	b.stop.Do(func() {
		defer b.cut()
		defer context.AfterFunc(ctx, b.cut)()
		for _, in := range b.intakes() {
			in.close()
		}
		for _, p := range b.pipelines() {
			b.retiring.Go(func() { p.shutdown(ctx) })
		}
		b.retiring.Wait()
		if b.store == nil {
			return
		}
		if err := b.store.Close(); err != nil {
			b.log.Warn("cannot close store; some delivered items may be sent again", "error", err)
		}
	})
}

// leftover logs what becomes of stored items without an exporter.
type leftover struct {
	signal Signal
	log    *slog.Logger
}

// Found implements spool.Listener.
func (l leftover) Found(items int) {
	l.log.Warn("found stored "+string(l.signal)+" of an earlier run, but no exporter for them", l.signal.key(), items,
		"hint", "configure one; otherwise they are dropped when older than delivery.max_age")
}

// Lost implements spool.Listener.
func (l leftover) Lost(items int, loss spool.Loss) {
	l.log.Warn(string(l.signal)+" dropped", "reason", storeReason(loss).String(), l.signal.key(), items)
}
