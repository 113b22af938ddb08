package agent

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/procspan/procspan/console"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

// exportOutput hands processes to the exporter.
type exportOutput struct {
	exporter *otelexport.Exporter
}

func (o exportOutput) named(id uint64, path string) { o.exporter.Named(id, path) }

func (o exportOutput) started(ev *process.Event, table *process.Table) {
	if !o.exporter.HasRecords() {
		return
	}
	if at, root, ok := table.ContextOf(ev.ID); ok {
		o.exporter.ExportExec(ev, at, root, table.TreatmentOf(ev.ID))
	}
}

func (o exportOutput) ended(l *process.Lifetime) { o.exporter.Export(l) }

func (o exportOutput) reconfigure(c *change) error { return o.exporter.Reconfigure(c.export) }

// liveOutput shows events as they come. A terminal that is slow, or stopped
// with Ctrl-S, holds up its own goroutine only: lines wait for it, up to
// maxLines, and then are left out and counted. When it fails, as a full disk
// does, there is nobody left to show them to, and the agent stops.
type liveOutput struct {
	o       Options
	live    *console.Live
	pending bytes.Buffer // what live has written of the current line
	lines   chan string
	done    chan struct{}
	missing int
	failed  func(cause error)
}

// maxLines is how many lines wait for the terminal.
const maxLines = 8192

func newLiveOutput(o Options, clock *otelexport.Clock, failed func(cause error)) *liveOutput {
	out := &liveOutput{o: o, lines: make(chan string, maxLines), done: make(chan struct{}), failed: failed}
	out.live = console.NewLive(&out.pending, func(at process.Time) time.Time {
		return time.Unix(0, int64(clock.Unix(at)))
	})
	go out.write()
	return out
}

// heading returns what to do when the table may begin: show its heading, then
// call next.
func (o *liveOutput) heading(next func()) func() {
	return func() {
		_ = o.live.Heading() // a buffer takes everything
		o.show()
		if next != nil {
			next()
		}
	}
}

func (o *liveOutput) named(uint64, string) {}

func (o *liveOutput) started(ev *process.Event, table *process.Table) {
	if !table.WillShow(ev.ID) { // nobody knows yet whether it is one to show
		return
	}
	_ = o.live.Exec(ev)
	o.show()
}

func (o *liveOutput) ended(l *process.Lifetime) {
	_ = o.live.Exit(l)
	o.show()
}

func (o *liveOutput) reconfigure(c *change) error {
	o.o.Config = c.config
	return nil
}

// show hands the pending line on.
func (o *liveOutput) show() {
	select {
	case o.lines <- o.pending.String():
	default:
		o.missing++
	}
	o.pending.Reset()
}

// write writes the lines, many at once where many wait.
func (o *liveOutput) write() {
	defer close(o.done)
	var some []byte
	for line := range o.lines {
		some = append(some[:0], line...)
		for n := len(o.lines); n > 0; n-- {
			some = append(some, <-o.lines...)
		}
		if _, err := o.o.Console.Write(some); err != nil {
			o.failed(fmt.Errorf("write the live table: %w", err))
			return
		}
	}
}

// close writes what waits, for as long as a flush may take. A terminal that
// takes nothing keeps its goroutine until the program ends.
func (o *liveOutput) close() error {
	close(o.lines)
	ctx, cancel := flushContext(o.o)
	defer cancel()
	var err error
	select {
	case <-o.done:
	case <-ctx.Done():
		err = errors.New("write the live table: the terminal takes no more; what waited is not shown")
	}
	if o.missing > 0 {
		o.o.Log.Warn("lines were left out: the terminal is too slow", "count", o.missing)
	}
	return err
}
