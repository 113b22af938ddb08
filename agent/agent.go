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
	// Console takes the live table of Run and the summary of Exec where there is no
	// exporter; Width is how many columns it has.
	Console io.Writer
	Width   int
	// Stdout is for exporters that write to standard output.
	Stdout io.Writer
	// Memory is how much memory there is for procspan, in bytes; 0 is no limit.
	Memory int64
	// Terminal, when set, shows the progress of Exec in its title.
	Terminal *os.File
	// Reports says what Exec writes about the finished job.
	Reports Reports
	// Ready, when set, is called once, when every later fork, exec and exit
	// will be seen.
	Ready func()
	// Stopped, when set, is called once observation has ended, before the flush.
	Stopped func()
	// Hurry, when set, cuts the flush at the end short when it ends.
	Hurry context.Context
	// Tree, if not 0, has Run observe this process and its descendants only.
	Tree int
	// Ask, when set, has Run log what became of everything so far.
	Ask <-chan os.Signal
	// Reload, when set, makes Run take the configuration that Load reads; Load is nil
	// if there is no file. Load may block.
	Reload <-chan os.Signal
	Load   func() (config.Config, error)

	// self gets procspan's own metrics; nil if nobody wants them.
	self *selfmetrics.Watch
	// progress shows the counts of the flow; nil if nobody looks.
	progress *progress
	// cgroups, when set, has the paths of cgroups that the exporter knows.
	cgroups *otelexport.Workloads
	// grace replaces graceAfter in tests, for machines that are slow.
	grace time.Duration
	// oneCommand gives up at once where only a person could help: nobody corrects
	// credentials while a command runs.
	oneCommand bool
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

// Run observes the whole host until ctx ends. It returns nil after a clean stop, in
// which everything seen was handed on or counted as lost.
func Run(ctx context.Context, o Options) error {
	clock, err := otelexport.NewClock()
	if err != nil {
		return err
	}
	boot, err := readBootID()
	if err != nil {
		return err
	}
	if o.self, err = watchSelf(o); err != nil {
		return err
	}
	defer stopSelf(o)
	if exports(o.Config) {
		return export(ctx, o, clock, boot)
	}
	if o.Config.Daemon.Persist {
		return errors.New("distribution.procspan.daemon.persist needs an exporter: what ends between two agents could be shown to nobody; add a tracer_provider")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := newLiveOutput(o, clock, cancel)
	o.Ready = out.heading(o.Ready)
	f, err := open(o, clock, process.NewIDs(boot), out, o.Tree != 0)
	if err != nil {
		return errors.Join(err, out.close())
	}
	stop := f.acceptReloads(o, out.reconfigure)
	err = f.watch(ctx, o)
	stop()
	return errors.Join(err, out.close(), f.tracer.Close())
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
	out := exportOutput{exporter}
	o.cgroups = exporter.Workloads
	f, err := open(o, clock, process.NewIDs(boot), out, o.Tree != 0)
	if err != nil {
		flush(o, exporter)
		return errors.Join(err, keep.close())
	}
	f.report = func() { f.reportLedgers(exporter, o.Log) }
	f.limited = exporter.Limited
	keep.attach(f, out)
	stop := f.acceptReloads(o, out.reconfigure)
	err = f.watch(ctx, o)
	stop()
	flush(o, exporter)
	f.report()
	keep.snapshot(true)
	return errors.Join(err, f.tracer.Close(), keep.close())
}

// watch observes the host from start to stop.
func (f *flow) watch(ctx context.Context, o Options) error {
	if o.Tree != 0 {
		err := f.adoptTree(ctx.Done(), uint32(o.Tree))
		if err != nil {
			return err
		}
	} else if f.keep == nil {
		f.adopt(ctx.Done())
	} else if err := f.keep.resume(ctx.Done()); err != nil {
		return err
	}
	f.trees.begin(f.table, kernelRules(o.Config.Rules))
	o.Log.Info("observing", "running", f.table.Stats().Living, "exporter", target(o.Config))
	f.publish(true)
	if o.Ready != nil {
		o.Ready()
	}
	err := errors.Join(f.run(ctx.Done()), f.finish())
	if o.Stopped != nil {
		o.Stopped()
	}
	stats := f.stats()
	args := []any{"ended", stats.Ended, "filtered", stats.Filtered, "sampled_out", stats.SampledOut, "still_running", stats.Living}
	if stats.Dropped > 0 {
		args = append(args, "dropped_by_rules", stats.Dropped)
	}
	if stats.Continued > 0 {
		args = append(args, "traces_continued", stats.Continued)
	}
	o.Log.Info("stopped", args...)
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(err, cause)
	}
	return err
}

// exports reports whether anything is sent; otherwise it is for the terminal.
func exports(c config.Config) bool { return c.Traces != nil || c.Logs != nil }

// target returns where spans go, or else log records.
func target(c config.Config) string {
	pipelines := c.SpanPipelines()
	if len(pipelines) == 0 {
		pipelines = c.LogPipelines()
	}
	var all []string
	for _, p := range pipelines {
		all = append(all, p.Exporter.Target())
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ",")
}

// readBootID returns the id of this boot of the kernel.
func readBootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot id: %w; %s", err, procHint(err))
	}
	return strings.TrimSpace(string(id)), nil
}

// flush delivers what waits, within flushWithin or until o.Hurry ends, and says
// what became of everything. What could not be delivered is counted and logged.
func flush(o Options, exporter *otelexport.Exporter) {
	ctx, cancel := flushContext(o)
	defer cancel()
	exporter.Shutdown(ctx)
	states := exporter.States()
	for _, s := range states {
		args := []any{"made", s.Stats.Accepted, "delivered", s.Stats.Delivered, "dropped", s.Stats.Dropped.Total()}
		if o.Config.Delivery.Directory != "" {
			args = append(args, "stored", s.Stats.Stored, "restored", s.Stats.Restored)
		}
		if severalOf(states, s.Signal) {
			args = append(args, "exporter", s.Exporter.Target())
		}
		o.Log.Info(string(s.Signal), args...)
	}
	reportLimited(o.Log, exporter.Limited())
}

// reportLimited logs what limits took away, if they did.
func reportLimited(log *slog.Logger, l otelexport.Limited) {
	if l != (otelexport.Limited{}) {
		log.Warn("limits took effect", "values_cut", l.Values, "attributes_dropped", l.Attributes, "events_dropped", l.Events, "links_dropped", l.Links,
			"hint", "raise the limits of the tracer_provider or logger_provider, or lower capture.args_max_bytes or capture.attributes")
	}
}

// severalOf reports whether a signal has several exporters.
func severalOf(states []otelexport.State, s otelexport.Signal) bool {
	n := 0
	for _, other := range states {
		if other.Signal == s {
			n++
		}
	}
	return n > 1
}

// flushContext bounds what is still done at the end.
func flushContext(o Options) (context.Context, context.CancelFunc) {
	return context.WithTimeout(o.hurry(), flushWithin)
}
