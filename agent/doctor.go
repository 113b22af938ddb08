package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

// Finding is one thing that Diagnose looked at.
type Finding struct {
	What string
	// Found is what is so; where Err is set, Err says it instead.
	Found string
	// Err is what is wrong, with its cure.
	Err error
	// Fatal says that the agent cannot run because of Err.
	Fatal bool
}

// Diagnose tries everything the agent needs, and says what it found.
func Diagnose(o Options) []Finding {
	findings := []Finding{kernelFinding(), privilegeFinding()}
	findings = append(findings, tracingFindings(o)...)
	findings = append(findings, pidNamespaceFinding())
	return slices.Concat(findings, exporterFindings(o), diskFindings(o), metricsFindings(o))
}

func kernelFinding() Finding {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return Finding{What: "kernel", Err: fmt.Errorf("uname: %w", err)}
	}
	return Finding{What: "kernel", Found: unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])}
}

// privilegeFinding says what the process may do. It is no verdict: loading is.
func privilegeFinding() Finding {
	f := Finding{What: "privileges"}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		f.Err = fmt.Errorf("read the capabilities: %w; mount /proc", err)
		return f
	}
	_, after, _ := strings.Cut(string(status), "CapEff:")
	line, _, _ := strings.Cut(after, "\n")
	set, err := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
	if err != nil {
		f.Err = fmt.Errorf("read the capabilities: %w", err)
		return f
	}
	f.Found = fmt.Sprintf("uid %d", os.Geteuid())
	for _, c := range []struct {
		name string
		bit  int
	}{
		{"CAP_BPF", unix.CAP_BPF}, {"CAP_PERFMON", unix.CAP_PERFMON}, {"CAP_SYS_ADMIN", unix.CAP_SYS_ADMIN},
		{"CAP_SYS_PTRACE", unix.CAP_SYS_PTRACE}, {"CAP_DAC_READ_SEARCH", unix.CAP_DAC_READ_SEARCH},
		{"CAP_SYS_RESOURCE", unix.CAP_SYS_RESOURCE},
	} {
		mark := "with "
		if set&(1<<c.bit) == 0 {
			mark = "without "
		}
		f.Found += ", " + mark + c.name
	}
	return f
}

// tracingFindings loads and attaches the programs, and watches a process of
// its own go by.
func tracingFindings(o Options) []Finding {
	programs := Finding{What: "kernel programs", Fatal: true}
	options := tracerOptions(o.Config, false)
	options.Pin = "" // what is pinned is an agent's, and what it has seen as well
	tracer, err := bpf.Open(options)
	if err != nil {
		programs.Err = err
		return []Finding{programs}
	}
	defer tracer.Close()
	programs.Found = "loaded and attached; " + tracer.Paths()

	living := Finding{What: "living processes"}
	if all, err := tracer.Living(); err != nil {
		living.Err = err
	} else {
		living.Found = strconv.Itoa(len(all))
	}
	return []Finding{programs, living, observeOne(tracer)}
}

// observeOne runs a process and waits for its exit event.
func observeOne(tracer *bpf.Tracer) Finding {
	f := Finding{What: "observation", Fatal: true}
	const exitCode = 42
	cmd := exec.Command("/bin/sh", "-c", "exit "+strconv.Itoa(exitCode))
	if err := cmd.Start(); err != nil {
		return Finding{What: "observation", Found: "not tried: " + err.Error()}
	}
	begin := time.Now()
	_ = cmd.Wait() // it fails with exitCode, as it should
	for giveUp := begin.Add(2 * time.Second); time.Now().Before(giveUp); {
		var ev process.Event
		switch err := tracer.Read(time.Now().Add(pollEvery), &ev); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			continue
		case err != nil:
			f.Err = fmt.Errorf("observe a process of one's own: %w; please report this", err)
			return f
		}
		if ev.Kind == process.Exit && ev.Status.ExitCode() == exitCode {
			f.Found = fmt.Sprintf("a process of one's own was seen to exit with %d, %s after it started", exitCode, time.Since(begin).Round(time.Millisecond))
			return f
		}
	}
	f.Err = errors.New("observe a process of one's own: no event of it came; please report this with the output of uname -a")
	return f
}

// pidNamespaceFinding tells whether pids in spans are those that ps shows here.
func pidNamespaceFinding() Finding {
	f := Finding{What: "pid namespace"}
	// The inode of the initial one is fixed (PROC_PID_INIT_INO, 0xEFFFFFFC).
	const initial = "pid:[4026531836]"
	switch link, err := os.Readlink("/proc/self/ns/pid"); {
	case err != nil:
		f.Err = fmt.Errorf("read the pid namespace: %w; mount /proc", err)
	case link != initial:
		f.Err = fmt.Errorf("%s is not the host's: spans have the host's pids, and processes older than the agent cannot be told; "+
			"start the container with --pid=host", link)
	default:
		f.Found = "the host's"
	}
	return f
}

// exporterFindings try the back ends that the configuration names.
func exporterFindings(o Options) []Finding {
	if !exports(o.Config) {
		return []Finding{{What: "exporter", Found: "none configured: processes are shown on the terminal"}}
	}
	var findings []Finding
	for _, signal := range []struct {
		what  string
		to    func(config.Config) (*otelexport.Destination, error)
		probe func(context.Context, *otelexport.Destination, string) error
	}{
		{"exporter", tracesDestination, otelexport.ProbeTraces},
		{"log exporter", logsDestination, otelexport.ProbeLogs},
	} {
		to, err := signal.to(o.Config)
		switch {
		case err != nil:
			findings = append(findings, Finding{What: signal.what, Err: err, Fatal: true})
		case to != nil:
			findings = append(findings, probeFinding(o, signal.what, to, signal.probe))
		}
	}
	return findings
}

func probeFinding(o Options, what string, to *otelexport.Destination, probe func(context.Context, *otelexport.Destination, string) error) Finding {
	ctx, cancel := context.WithTimeout(context.Background(), to.Exporter.Timeout)
	defer cancel()
	if err := probe(ctx, to, o.Version); err != nil {
		// The agent runs all the same, and keeps trying.
		return Finding{What: what, Err: err}
	}
	return Finding{What: what, Found: to.Exporter.Target + " answers"}
}
