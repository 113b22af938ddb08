package agent

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/procspan/procspan/agent/command"
	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

// notRun is the exit code of Exec where the command has none.
const notRun = -1

// Exec runs a command with this process's standard input and output, and
// observes it and its descendants until it ends. It returns the command's exit
// code, 128+n when signal n killed it, and notRun when it did not run. The error
// is about procspan, unless it is a *command.StartError; a command that fails is
// no error. A signal after the command's end cuts the flush short.
func Exec(o Options, c command.Command) (code int, err error) {
	clock, err := otelexport.NewClock()
	if err != nil {
		return notRun, err
	}
	boot, err := readBootID()
	if err != nil {
		return notRun, err
	}
	ids := process.NewIDs(boot)
	o.Config.TracePolicy.SplitOn = config.SplitOn{} // one command is one job
	honours := o.Config.TracePolicy.HonoursSampled(true)
	o.Config.TracePolicy.HonourSampled = &honours
	o.Config.Daemon = config.Daemon{}
	o.Config.Delivery.Directory = "" // commands run concurrently, and none resumes
	var out outputs
	var record *recording
	if !exports(o.Config) || len(o.Reports.Outputs) > 0 {
		record, err = newRecording(o)
		switch {
		case err == nil:
			defer func() { err = errors.Join(err, record.close()) }()
			out = append(out, record)
		case len(o.Reports.Outputs) > 0:
			return notRun, err
		default: // nobody asked for it: the command matters more
			o.Log.Warn("cannot record the command, running it without a summary", "error", err)
		}
	}
	var exporter *otelexport.Exporter
	if exports(o.Config) {
		o.oneCommand = true
		if exporter, err = newExporter(o, clock); err != nil {
			return notRun, err
		}
		out = append(out, exportOutput{exporter})
		o.cgroups = exporter.Workloads
	}
	o.progress = startProgress(o.Terminal, filepath.Base(c.Args[0]))
	f, code, at, err := follow(o, clock, ids, out, &c)
	o.progress.stop()
	if exporter != nil {
		deliverAll(o, exporter, f, code, at.trace, c.Signals)
	}
	if record != nil && code != notRun {
		err = errors.Join(err, record.show(o, clock, boot, at.root, f.missing()))
	}
	return code, err
}

// deliverAll flushes what waits for the collector, and logs what became of it.
func deliverAll(o Options, exporter *otelexport.Exporter, f *flow, code int, trace process.TraceID, signals <-chan os.Signal) {
	hurry, cancel := hurryAfter(o.hurry(), signals)
	defer cancel()
	o.Hurry = hurry
	flush(o, exporter)
	if code != notRun {
		f.reportLedgers(exporter, o.Log)
		stats, _ := exporter.Stats()
		args := []any{"trace_id", trace, "spans", stats.Delivered, "endpoint", target(o.Config)}
		if n := f.table.Stats().Continued; n > 0 {
			args = append(args, "more_traces", n, "hint", "the job has more spans than traces.max_spans, or more bytes of them than traces.max_bytes; the traces are linked")
		}
		o.Log.Info("traced", args...)
	}
}

// followed is the process that is the command, and its trace.
type followed struct {
	root  process.ID
	trace process.TraceID
}

// missing returns what a report of everything that the flow has seen lacks, by
// reason.
func (f *flow) missing() map[string]uint64 {
	now := f.table.Stats()
	return map[string]uint64{
		"still running when the job ended": uint64(now.Running),
		"of traces that are not sampled":   now.SampledOut - f.began.SampledOut,
		"lost in the kernel":               f.endsMissing(now),
		"evicted from the table":           now.Forgotten - f.began.Forgotten,
	}
}

// follow runs the command and moves its events until it has ended. It returns
// the flow, the command's exit code and where its span is.
func follow(o Options, clock *otelexport.Clock, ids process.IDs, out output, c *command.Command) (f *flow, code int, at followed, err error) {
	launcher, err := command.Start(c)
	if err != nil {
		return nil, notRun, at, err
	}
	f, err = open(o, clock, ids, out, true)
	if err != nil {
		_, abortErr := launcher.Abort()
		return f, notRun, at, errors.Join(err, abortErr)
	}
	child, err := f.tracer.FollowChild()
	if s := c.EndingSignal(); err != nil || s != 0 {
		killed, abortErr := launcher.Abort()
		if s = cmp.Or(s, killed); s != 0 { // which may be why there is no child to follow
			return f, 128 + int(s), at, errors.Join(abortErr, f.tracer.Close())
		}
		return f, notRun, at, errors.Join(err, abortErr, f.tracer.Close())
	}
	child.Execed = false // the launcher is not the command
	at.root, at.trace = child.ID, ids.TraceID(child.ID)
	var variables []string
	if o.Config.Traces != nil && o.Config.TracePolicy.Join {
		child.Remote, at.trace, variables = joinTrace(f.policy, ids, child.ID, c.Env)
	}
	f.table.Adopt([]process.Living{child})
	f.trees.begin(f.table, kernelRules(o.Config.Rules))
	c.HasAlready = f.terminalOnly(c.HasAlready, child.ID)
	if err := launcher.Launch(variables); err != nil {
		return f, notRun, at, errors.Join(err, f.tracer.Close())
	}
	if o.Ready != nil {
		o.Ready()
	}

	done := make(chan struct{})
	var state *os.ProcessState
	var waitErr error
	go func() {
		defer close(done)
		state, waitErr = launcher.Wait()
	}()
	err = f.run(done)
	<-done // also after an error
	err = errors.Join(err, f.catchUp(), f.grace(cmp.Or(o.grace, graceAfter)), f.finish(), f.tracer.Close())
	if waitErr != nil {
		return f, notRun, at, errors.Join(err, waitErr)
	}
	if n := f.table.Stats().Living; n > 0 {
		o.Log.Info("some descendants still run; they get no span", "count", n)
	}
	status := process.Status(state.Sys().(syscall.WaitStatus))
	return f, status.ExitCode(), at, err
}

// terminalOnly returns hasAlready for signals that no other process has sent to
// procspan alone: what a terminal sends, it sends to the command as well.
func (f *flow) terminalOnly(hasAlready func(os.Signal, int) bool, child process.ID) func(os.Signal, int) bool {
	if hasAlready == nil {
		return nil
	}
	return func(s os.Signal, pid int) bool {
		toUs, toBoth := f.tracer.SentBySomebody(int(s.(syscall.Signal)), child)
		return hasAlready(s, pid) && (!toUs || toBoth)
	}
}

// joinTrace returns the remote span that procspan's environment names, which the
// command continues, the trace of the command's span, and the variables by which
// the command's programs continue that span.
func joinTrace(p process.Policy, ids process.IDs, id process.ID, env []string) (remote process.Remote, trace process.TraceID, variables []string) {
	var own process.Image
	for _, v := range env {
		own.Environment += v + "\x00"
	}
	value, _ := own.Variable("TRACEPARENT")
	state, _ := own.Variable("TRACESTATE")
	remote, ok := p.Extract(value, state)
	if ok {
		trace = remote.Context.Trace
	} else {
		trace = ids.TraceID(id)
		variables = append(variables, "TRACESTATE") // it belongs to no trace
	}
	span := process.SpanContext{Trace: trace, Span: ids.SpanID(id)}
	return remote, trace, append(variables, "TRACEPARENT="+otelexport.Traceparent(span, p.Sample(trace, remote), remote.Random))
}

// stale is how long after the command's end a signal counts as one that ended it:
// Ctrl-C and timeout(1) also signal procspan.
const stale = 100 * time.Millisecond

// hurryAfter returns a context that ends with parent, or with the next signal
// that is not stale.
func hurryAfter(parent context.Context, signals <-chan os.Signal) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	begin := time.Now()
	go func() {
		for {
			select {
			case <-signals:
				if time.Since(begin) > stale {
					cancel()
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, cancel
}
