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
	"github.com/procspan/procspan/selfmetrics"
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

	// self is told how the agent does; nil where nobody wants to know.
	self *selfmetrics.Watch
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
	ids, err := readIDs()
	if err != nil {
		return err
	}
	if o.self, err = watchSelf(o); err != nil {
		return err
	}
	defer stopSelf(o)
	if !exports(o.Config) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		out := newLiveOutput(o, clock, cancel)
		o.Ready = out.heading(o.Ready)
		err := watch(ctx, o, clock, ids, out)
		return errors.Join(err, out.close())
	}
	exporter, err := newExporter(o, clock)
	if err != nil {
		return err
	}
	err = watch(ctx, o, clock, ids, exportOutput{exporter, newOrigins(o.Config.ServiceName, exporter)})
	flush(o, exporter)
	return err
}

// watch observes the host from start to stop.
func watch(ctx context.Context, o Options, clock *otelexport.Clock, ids process.IDs, out output) error {
	f, err := open(o, clock, ids, out, false)
	if err != nil {
		return err
	}
	if err := f.adopt(o.Config); err != nil {
		return errors.Join(err, f.tracer.Close())
	}
	o.Log.Info("observing", "living", f.table.Stats().Living, "exporter", target(o.Config))
	f.publish(true)
	if o.Ready != nil {
		o.Ready()
	}
	err = f.run(ctx.Done())
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

// readIDs returns the ids of this boot of the kernel.
func readIDs() (process.IDs, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return process.IDs{}, fmt.Errorf("read the boot id: %w; mount /proc", err)
	}
	return process.NewIDs(strings.TrimSpace(string(id))), nil
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
