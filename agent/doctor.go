package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/internal/boottime"
	"github.com/procspan/procspan/internal/capability"
	"github.com/procspan/procspan/internal/safedir"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/selfmetrics"
)

// Finding is the result of one check of Diagnose.
type Finding struct {
	What string
	// Found describes the result where Err is nil.
	Found string
	// Err is what is wrong, with a hint.
	Err error
	// Fatal says that Err prevents the agent from running.
	Fatal bool
}

// found returns a Finding that is not fatal; see fatal.
func found(what, found string, err error) Finding {
	if err != nil {
		found = ""
	}
	return Finding{What: what, Found: found, Err: err}
}

// fatal returns a Finding whose error prevents the agent from running.
func fatal(what, text string, err error) Finding {
	f := found(what, text, err)
	f.Fatal = err != nil
	return f
}

// Diagnose tries everything that the agent needs.
func Diagnose(o Options) []Finding {
	findings := []Finding{kernelFinding(), privilegeFinding()}
	findings = append(findings, tracingFindings(o)...)
	findings = append(findings, pidNamespaceFinding(), timeNamespaceFinding())
	return slices.Concat(findings, exporterFindings(o), diskFindings(o), metricsFindings(o))
}

func kernelFinding() Finding {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return found("kernel", "", fmt.Errorf("uname: %w", err))
	}
	return found("kernel", unix.ByteSliceToString(u.Release[:])+" "+unix.ByteSliceToString(u.Machine[:]), nil)
}

// privilegeFinding lists the capabilities; whether they suffice, loading shows.
func privilegeFinding() Finding {
	has, err := capability.Get()
	text := fmt.Sprintf("uid %d", os.Geteuid())
	for _, c := range []struct {
		name string
		bit  int
	}{
		{"CAP_BPF", unix.CAP_BPF}, {"CAP_PERFMON", unix.CAP_PERFMON}, {"CAP_SYS_ADMIN", unix.CAP_SYS_ADMIN},
		{"CAP_SYS_PTRACE", unix.CAP_SYS_PTRACE}, {"CAP_DAC_READ_SEARCH", unix.CAP_DAC_READ_SEARCH},
		{"CAP_SYS_RESOURCE", unix.CAP_SYS_RESOURCE},
	} {
		mark := "with "
		if has.Permitted&(1<<c.bit) == 0 {
			mark = "without "
		}
		text += ", " + mark + c.name
	}
	return found("privileges", text, err)
}

// tracingFindings loads and attaches the BPF programs, lists the running processes
// and observes a process of its own.
func tracingFindings(o Options) []Finding {
	const programs = "BPF programs"
	options := tracerOptions(o.Config, false)
	options.Pin = "" // pinned programs, and their ring, belong to an agent
	tracer, err := bpf.Open(options)
	if err != nil {
		return []Finding{fatal(programs, "", err)}
	}
	defer tracer.Close()
	running, err := tracer.Running()
	observed, observeErr := observeOne(tracer)
	return []Finding{
		found(programs, "loaded and attached; "+tracer.Methods(), nil),
		found("running processes", strconv.Itoa(len(running)), err),
		fatal("observation", observed, observeErr),
	}
}

// observeOne runs a process and waits for its exit event.
func observeOne(tracer *bpf.Tracer) (observed string, err error) {
	const exitCode = 42
	cmd := exec.Command("/bin/sh", "-c", "exit "+strconv.Itoa(exitCode))
	if err := cmd.Start(); err != nil {
		return "not tried: " + err.Error(), nil
	}
	begin := time.Now()
	_ = cmd.Wait() // fails with exitCode
	for giveUp := begin.Add(2 * time.Second); time.Now().Before(giveUp); {
		var ev process.Event
		switch err := tracer.Read(time.Now().Add(pollEvery), &ev); {
		case errors.Is(err, os.ErrDeadlineExceeded):
		case err != nil:
			return "", fmt.Errorf("observe a test process: %w; please report this", err)
		case ev.Kind == process.Exit && ev.Status.ExitCode() == exitCode:
			return fmt.Sprintf("a test process exited with %d, seen %s after its start", exitCode, time.Since(begin).Round(time.Millisecond)), nil
		}
	}
	return "", errors.New("observe a test process: no event arrived; please report this with the output of uname -a")
}

// procHint says what to do about a file of /proc that cannot be read.
func procHint(err error) string {
	if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
		return "raise the limit of open files (ulimit -n, LimitNOFILE=)"
	}
	return "mount /proc"
}

// pidNamespaceFinding reports whether spans have the pids that ps shows here.
func pidNamespaceFinding() Finding {
	// The inode of the initial one is fixed (PROC_PID_INIT_INO, 0xEFFFFFFC).
	const initial = "pid:[4026531836]"
	link, err := os.Readlink("/proc/self/ns/pid")
	switch {
	case err != nil:
		err = fmt.Errorf("read the pid namespace: %w; %s", err, procHint(err))
	case link != initial:
		err = fmt.Errorf("%s is not the host's: spans have the host's pids, and processes older than the agent are unknown; "+
			"start the container with --pid=host", link)
	}
	return found("pid namespace", "the host's", err)
}

// timeNamespaceFinding reports whether clocks and /proc are shifted here.
func timeNamespaceFinding() Finding {
	text := "not shifted"
	if shift := boottime.Shift(); shift != 0 {
		text = fmt.Sprintf("the time since boot is shifted by %s here; spans have the host's times all the same", shift)
	}
	return found("time namespace", text, nil)
}

// exporterFindings probe the configured back ends.
func exporterFindings(o Options) []Finding {
	if !exports(o.Config) {
		return []Finding{found("exporter", "none configured: processes are shown on the terminal", nil)}
	}
	var findings []Finding
	for _, of := range []struct {
		what      string
		signal    otelexport.Signal
		pipelines []config.Pipeline
	}{
		{"exporter", otelexport.Spans, o.Config.SpanPipelines()},
		{"log exporter", otelexport.LogRecords, o.Config.LogPipelines()},
	} {
		all, err := destinations(o, "", of.pipelines)
		if err != nil {
			findings = append(findings, fatal(of.what, "", err))
		}
		for _, to := range all {
			findings = append(findings, probed(of.what, to.Exporter, func(ctx context.Context) error {
				return otelexport.Probe(ctx, of.signal, to, o.Version)
			}))
		}
	}
	return findings
}

// probed is not fatal: the agent keeps trying.
func probed(what string, to config.Exporter, probe func(context.Context) error) Finding {
	ctx, cancel := context.WithTimeout(context.Background(), to.Common().Timeout)
	defer cancel()
	switch {
	case to.File != nil && safedir.OfService(filepath.Dir(to.Target())):
		return found(what, to.Target()+", of the service", nil)
	case to.File != nil || to.Console != nil:
		return found(what, to.Target()+" can be written", probe(ctx))
	}
	return found(what, to.Target()+" answers", probe(ctx))
}

// diskFindings check the configured directories. They create and lock nothing: an
// agent may be using them.
func diskFindings(o Options) (findings []Finding) {
	if d := o.Config.Delivery; d.Directory != "" && exports(o.Config) {
		findings = append(findings, directoryFinding("store", "delivery.directory", d.Directory, d.MaxSize))
	}
	if d := o.Config.Daemon; d.Persist {
		findings = append(findings, directoryFinding("state", "daemon.state_directory", d.StateDirectory, 0),
			fatal("pins", d.PinDirectory, bpf.CanPin(d.PinDirectory)))
	}
	return findings
}

// directoryFinding reports whether a directory can be used, or created, and whether
// need bytes are free there.
func directoryFinding(what, option, dir string, need int64) Finding {
	at, whose := filepath.Dir(filepath.Clean(dir)), ", of the service"
	if !safedir.OfService(dir) {
		whose = ""
		d, err := safedir.OpenExisting(dir)
		if err == nil {
			err = d.Close()
		}
		if errors.As(err, new(*safedir.UnsafeError)) {
			return fatal(what, "", fmt.Errorf("use %s: %w", option, err))
		}
		if at, err = safedir.Writable(dir); err != nil {
			return fatal(what, "", fmt.Errorf("write to %s: %w; name a directory in %s that procspan may write to", at, err, option))
		}
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(at, &disk); err != nil {
		return found(what, "", fmt.Errorf("read the free space of %s: %w", at, err))
	}
	free := int64(disk.Bavail) * disk.Bsize
	var err error
	if free < need {
		err = fmt.Errorf("%s has %s free, less than delivery.max_size, %s: what does not fit is dropped and counted; "+
			"free space, or lower delivery.max_size", at, mebibytes(free), mebibytes(need))
	}
	return found(what, fmt.Sprintf("%s, %s free%s", dir, mebibytes(free), whose), err)
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

// metricsFindings probe the metrics exporter and the ports for metrics and health.
func metricsFindings(o Options) (findings []Finding) {
	if m := o.Config.Metrics; m != nil && m.Periodic != nil {
		const what = "metrics exporter"
		to := m.Periodic.Exporter
		tls, err := to.Common().TLS.Config()
		if err != nil {
			findings = append(findings, fatal(what, "", err))
		} else {
			findings = append(findings, probed(what, to, func(ctx context.Context) error {
				return selfmetrics.ProbeExporter(ctx, to, tls, o.Version)
			}))
		}
	}
	if m := o.Config.Metrics; m != nil && m.Prometheus != nil {
		findings = append(findings, found("metrics port", "free", selfmetrics.ProbePrometheus(m.Prometheus)))
	}
	if o.Config.Health != (config.Health{}) {
		findings = append(findings, found("health port", "free", selfmetrics.ProbeHealth(o.Config.Health)))
	}
	return findings
}

// ProgramsHash returns the SHA-256 of the compiled BPF programs, in hex: two binaries
// with the same hash run the same code in the kernel.
func ProgramsHash() string { return bpf.ProgramsHash() }
