package agent

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/console"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

// Command is what Exec runs.
type Command struct {
	// Path is the file to execute, Args its arguments from argv[0] on.
	Path string
	Args []string
	Env  []string
	// Credential, when set, is the user it runs as.
	Credential *syscall.Credential
	// Signals are passed on to it as they come. One that came before it started
	// keeps it from starting, if it would have ended it; one after its end cuts the
	// flush short.
	Signals <-chan os.Signal
	// HasAlready, when set, says of a signal that the command, whose pid is given,
	// has it by itself, as it has from the terminal what procspan has from there.
	HasAlready func(s os.Signal, pid int) bool
	// Width is the width of the waterfall in characters.
	Width int
}

// notRun is the exit code of Exec where the command has none.
const notRun = -1

// StartError says that the command could not be started; procspan itself is
// well. Code is what a shell would end with: 127 where there is no such file,
// 126 where it cannot be executed.
type StartError struct {
	Code int
	Err  error
}

func (e *StartError) Error() string { return e.Err.Error() }
func (e *StartError) Unwrap() error { return e.Err }

// NewStartError tells from err which code it is.
func NewStartError(path string, err error) *StartError {
	code, cure := 126, ""
	switch {
	case errors.Is(err, os.ErrNotExist) && exists(path):
		code, cure = 127, "the file is there, but the interpreter that its #! line or ELF header names is not"
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		code, cure = 127, "check the spelling, and PATH"
	case errors.Is(err, os.ErrPermission):
		cure = "check that the file is executable (chmod +x) for the user it is run as"
	case errors.Is(err, syscall.ENOEXEC):
		cure = "it has no #! line and is no binary: run it by its interpreter, such as sh"
	}
	var inner *exec.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	text := fmt.Errorf("run %s: %w", path, err)
	if cure != "" {
		text = fmt.Errorf("%w; %s", text, cure)
	}
	return &StartError{Code: code, Err: text}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Exec runs a command with this process's standard input and output, and
// observes it and its descendants until it ends. It returns the command's exit
// code, 128+n when signal n killed it, and notRun when there is none. The error
// is about procspan, unless it is a *StartError; a command that failed is none.
func Exec(o Options, command Command) (code int, err error) {
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
	o.Config.Daemon = config.Daemon{}
	if !exports(o.Config) {
		kept := &keepOutput{}
		if o.Config.Capture.Args != config.ArgsFull {
			redactor, err := newRedactor(o.Config)
			if err != nil {
				return notRun, err
			}
			kept.redact = redactor.Args
		}
		_, code, _, err := follow(o, clock, ids, kept, command)
		return code, errors.Join(err, showWaterfall(o, kept, command, code))
	}
	exporter, err := newExporter(o, clock)
	if err != nil {
		return notRun, err
	}
	out := exportOutput{exporter, newOrigins(o.Config.ServiceName, exporter)}
	f, code, trace, err := follow(o, clock, ids, out, command)
	hurry, cancel := hurryAfter(o.hurry(), command.Signals)
	defer cancel()
	o.Hurry = hurry
	flush(o, exporter)
	if code != notRun {
		f.ledger(exporter).tell(o.Log)
		stats, _ := exporter.Stats()
		o.Log.Info("traced", "trace_id", hex.EncodeToString(trace[:]), "spans", stats.Delivered, "endpoint", target(o.Config))
	}
	return code, err
}

// follow runs the command and moves its events until it has ended. It returns
// what moved them, the command's exit code and the trace that its span is in.
func follow(o Options, clock *otelexport.Clock, ids process.IDs, out output, command Command) (f *flow, code int, trace process.TraceID, err error) {
	launcher, err := startLauncher(command)
	if err != nil {
		return nil, notRun, trace, err
	}
	f, err = open(o, clock, ids, out, true)
	if err != nil {
		_, abortErr := launcher.abort()
		return f, notRun, trace, errors.Join(err, abortErr)
	}
	child, err := f.tracer.FollowChild()
	if s := ending(command.Signals); err != nil || s != 0 {
		killed, abortErr := launcher.abort()
		if s = cmp.Or(s, killed); s != 0 { // which may be why there is no child to follow
			return f, 128 + int(s), trace, errors.Join(abortErr, f.tracer.Close())
		}
		return f, notRun, trace, errors.Join(err, abortErr, f.tracer.Close())
	}
	child.Execed = false // the launcher is not the command
	trace = ids.TraceID(child.ID)
	var variables []string
	if o.Config.Traces != nil && o.Config.TracePolicy.Join {
		child.Remote, trace, variables = handOver(f.policy, ids, child.ID, command.Env)
	}
	f.table.Adopt([]process.Living{child})
	if err := launcher.launch(variables); err != nil {
		return f, notRun, trace, errors.Join(err, f.tracer.Close())
	}

	done := make(chan struct{})
	var state *os.ProcessState
	var waitErr error
	go func() {
		defer close(done)
		state, waitErr = waitFor(launcher.process, command)
	}()
	err = errors.Join(f.run(done), f.finish(), f.tracer.Close())
	<-done
	if waitErr != nil {
		return f, notRun, trace, errors.Join(err, fmt.Errorf("wait for %s: %w", command.Path, waitErr))
	}
	if n := f.table.Stats().Living; n > 0 {
		o.Log.Info("some descendants still run; they get no span", "count", n)
	}
	status := process.Status(state.Sys().(syscall.WaitStatus))
	return f, status.ExitCode(), trace, err
}

// ending returns the first of the signals that came so far which would have ended
// the command, or 0.
func ending(signals <-chan os.Signal) syscall.Signal {
	for {
		select {
		case s := <-signals:
			if s != unix.SIGCONT && s != unix.SIGWINCH {
				return s.(syscall.Signal)
			}
		default:
			return 0
		}
	}
}

// handOver returns the span outside that procspan, and so the command, was told
// to continue, the trace that makes, and the variables by which the programs of
// the command continue the command's span.
func handOver(p process.Policy, ids process.IDs, command process.ID, env []string) (told process.Remote, trace process.TraceID, variables []string) {
	var own process.Image
	for _, v := range env {
		own.Environment += v + "\x00"
	}
	value, _ := own.Variable("TRACEPARENT")
	state, _ := own.Variable("TRACESTATE")
	told, ok := p.Extract(value, state)
	if ok {
		trace = told.Context.Trace
	} else {
		trace = ids.TraceID(command)
		variables = append(variables, "TRACESTATE") // of nothing
	}
	span := process.SpanContext{Trace: trace, Span: ids.SpanID(command)}
	return told, trace, append(variables, "TRACEPARENT="+otelexport.Traceparent(span, p.Sample(trace, told)))
}

// waitFor waits for the child and passes signals on to it meanwhile.
func waitFor(child *os.Process, command Command) (*os.ProcessState, error) {
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for {
			select {
			case s := <-command.Signals:
				if command.HasAlready != nil && command.HasAlready(s, child.Pid) {
					continue
				}
				// It may just have ended; then the signal is for nobody.
				_ = child.Signal(s)
			case <-ended:
				return
			}
		}
	}()
	return child.Wait()
}

// stale is for how long after the command's end signals are taken for those
// that ended it: Ctrl-C and timeout(1) signal procspan, too.
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

// showWaterfall shows the finished tree.
func showWaterfall(o Options, kept *keepOutput, command Command, code int) error {
	if len(kept.kept) == 0 {
		return nil
	}
	fmt.Fprintf(o.Console, "\nprocspan: %s · processes: %d · time: %s · exit code: %d\n",
		console.Printable(command.Args[0]), len(kept.kept)+kept.dropped, console.Span(kept.kept).Round(time.Microsecond), code)
	if err := console.Waterfall(o.Console, kept.kept, command.Width); err != nil {
		return fmt.Errorf("write the waterfall: %w", err)
	}
	if kept.dropped > 0 {
		fmt.Fprintf(o.Console, "… and %d more, which are not shown\n", kept.dropped)
	}
	return nil
}
