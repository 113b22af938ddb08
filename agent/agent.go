// Package agent wires the flow bpf → process → otelexport and knows the order
// of start and stop.
package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

// Options is what both ways to run need.
type Options struct {
	Config  config.Config
	Version string
	Log     *slog.Logger
	// Console takes the live table of Run when Config.Traces is nil.
	Console io.Writer
	// Ready, when set, is called once, when every later fork, exec and exit
	// will be seen.
	Ready func()
	// Hurry, when set, cuts the flush at the end short when it ends.
	Hurry context.Context
	// Ask, when set, has Run log what became of everything so far.
	Ask <-chan os.Signal
}

// hurry returns Hurry, or a context that does not end.
func (o *Options) hurry() context.Context {
	if o.Hurry == nil {
		return context.Background()
	}
	return o.Hurry
}

// flushWithin bounds the delivery of what still waits at the end.
const flushWithin = 10 * time.Second

// Run observes the whole host until ctx ends. It returns nil after a clean
// stop, in which everything seen was handed on or counted as lost.
func Run(ctx context.Context, o Options) error {
	clock, err := otelexport.NewClock()
	if err != nil {
		return err
	}
	boot, err := readBootID()
	if err != nil {
		return err
	}
	if !exports(o.Config) {
		if o.Config.Daemon.Persist {
			return errors.New("distribution.procspan.daemon.persist needs an exporter: nobody could be shown later what ends now; add a tracer_provider")
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		out := newLiveOutput(o, clock, cancel)
		o.Ready = out.heading(o.Ready)
		f, err := open(o, clock, process.NewIDs(boot), out, false)
		if err != nil {
			return errors.Join(err, out.close())
		}
		err = f.watch(ctx, o, f.adopt)
		return errors.Join(err, out.close(), f.tracer.Close())
	}
	return export(ctx, o, clock, boot)
}

// export is Run with an exporter.
func export(ctx context.Context, o Options, clock *otelexport.Clock, boot string) error {
	keep, err := openKeeper(o, boot)
	if err != nil {
		return err
	}
	exporter, err := newExporter(o, clock)
	if err != nil {
		return errors.Join(err, keep.close())
	}
	out := exportOutput{exporter, newOrigins(o.Config.ServiceName, exporter)}
	f, err := open(o, clock, process.NewIDs(boot), out, false)
	if err != nil {
		flush(o, exporter)
		return errors.Join(err, keep.close())
	}
	f.tell = func() { f.ledger(exporter).tell(o.Log) }
	begin := f.adopt
	if keep != nil {
		f.keep = keep
		begin = func() error { return keep.resume(f, out) }
	}
	err = f.watch(ctx, o, begin)
	flush(o, exporter)
	f.tell()
	f.keep.save(f)
	return errors.Join(err, f.tracer.Close(), keep.close())
}

// watch observes the host from start to stop.
func (f *flow) watch(ctx context.Context, o Options, begin func() error) error {
	if err := begin(); err != nil {
		return err
	}
	o.Log.Info("observing", "living", f.table.Stats().Living, "exporter", target(o.Config))
	if o.Ready != nil {
		o.Ready()
	}
	err := errors.Join(f.run(ctx.Done()), f.finish())
	stats := f.table.Stats()
	o.Log.Info("stopped", "ended", stats.Ended, "left_out", stats.LeftOut, "sampled_out", stats.SampledOut, "still_living", stats.Living)
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(err, cause)
	}
	return err
}

// exports reports whether anything is sent; otherwise it is for the terminal.
func exports(c config.Config) bool { return c.Traces != nil || c.Logs != nil }

func target(c config.Config) string {
	switch {
	case c.Traces != nil:
		return c.Traces.Exporter.Target
	case c.Logs != nil:
		return c.Logs.Exporter.Target
	}
	return "none"
}

// readBootID returns the id of this boot of the kernel.
func readBootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot id: %w; mount /proc", err)
	}
	return strings.TrimSpace(string(id)), nil
}

// flush delivers what waits, within flushWithin or until o.Hurry ends, and says
// what became of everything. What could not be delivered is counted and logged.
func flush(o Options, exporter *otelexport.Exporter) {
	ctx, cancel := flushContext(o)
	defer cancel()
	exporter.Shutdown(ctx)
	spans, records := exporter.Stats()
	if o.Config.Traces != nil {
		o.Log.Info("spans", "made", spans.Accepted, "delivered", spans.Delivered, "dropped", spans.Dropped.Total())
	}
	if o.Config.Logs != nil {
		o.Log.Info("log records", "made", records.Accepted, "delivered", records.Delivered, "dropped", records.Dropped.Total())
	}
}

// flushContext bounds what is still done at the end.
func flushContext(o Options) (context.Context, context.CancelFunc) {
	return context.WithTimeout(o.hurry(), flushWithin)
}
