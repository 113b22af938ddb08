package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// tracer is a contender that observes.
type tracer struct {
	processes []*exec.Cmd
	stop      syscall.Signal
	receiver  *receiver
	ready     time.Duration // from its exec until it said that it observes; 0: it does not say
	said      *tail
}

// setup is how procspan is configured, where it is not the default.
type setup struct {
	logs, persist, http bool
	compression         string
}

// configuration returns procspan's file. What it keeps is in dir, away from that
// of a host's own procspan.
func (s setup) configuration(grpc, http, dir string) string {
	options := ""
	if s.compression != "" {
		options = ", compression: " + s.compression
	}
	to := `otlp_grpc: {endpoint: "http://` + grpc + `"` + options + `}`
	if s.http {
		to = `otlp_http: {endpoint: "http://` + http + `/v1/traces"` + options + `}`
	}
	exporter := `
  processors:
    - batch:
        exporter:
          ` + to + `
`
	text := "file_format: \"1.0\"\ntracer_provider:" + exporter
	if s.logs {
		text += "logger_provider:" + exporter
	}
	if s.persist {
		text += `distribution:
  procspan:
    delivery: {directory: ` + dir + `/delivery}
    daemon: {persist: true, pin_directory: ` + dir + `/bpf/pins, state_directory: ` + dir + `/state}
`
	}
	return text
}

// accepts reports whether procspan knows all of a configuration.
func (l *lab) accepts(ctx context.Context, s setup) bool {
	file := filepath.Join(l.dir, "check.yml")
	if err := os.WriteFile(file, []byte(s.configuration("localhost:4317", "localhost:4318", l.dir)), 0o644); err != nil {
		return false
	}
	return exec.CommandContext(ctx, l.procspan, "config", "check", file).Run() == nil
}

// startProcspan starts procspan and a sink, and returns when it observes.
func (l *lab) startProcspan(ctx context.Context, s setup) (*tracer, error) {
	sink, err := l.receive(ctx, nil, roleSink)
	if err != nil {
		return nil, err
	}
	var grpc, http string
	if _, err := fmt.Fscanln(sink.out, &grpc, &http); err != nil {
		return nil, fmt.Errorf("start the sink: %w", err)
	}
	dir, err := os.MkdirTemp(l.dir, "procspan")
	if err != nil {
		return nil, errors.Join(err, sink.close())
	}
	argv := []string{l.procspan, "run", "--config", filepath.Join(dir, "procspan.yml")}
	if err := os.WriteFile(argv[3], []byte(s.configuration(grpc, http, dir)), 0o644); err != nil {
		return nil, errors.Join(err, sink.close())
	}
	if s.persist {
		// What outlives procspan ends with the mount namespace, which does not.
		pins := filepath.Join(dir, "bpf")
		if err := os.Mkdir(pins, 0o755); err != nil {
			return nil, errors.Join(err, sink.close())
		}
		argv = mounting("bpf", pins, argv)
	}
	t := &tracer{stop: syscall.SIGTERM, receiver: sink, said: &tail{}}
	// Not with ctx: it is told to stop, and not killed.
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = plainEnvironment()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start procspan: %w", err), sink.close())
	}
	t.processes = append(t.processes, cmd)
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		_, _ = io.WriteString(t.said, line) // a tail takes everything
		if strings.Contains(line, "msg=observing ") {
			break
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("procspan did not start: %w\n%s", err, t.said), t.end())
		}
	}
	t.ready = time.Since(begin)
	go func() { _, _ = io.Copy(t.said, lines) }() // ends with procspan
	return t, nil
}

// mounting returns a command that runs argv in a mount namespace of its own, as
// the same process, with a file system at target.
func mounting(fstype, target string, argv []string) []string {
	return append([]string{"unshare", "--mount", "sh", "-c", `mount -t "$0" "$0" "$1" && shift && exec "$@"`, fstype, target}, argv...)
}

// plainEnvironment is what tracers get: nothing that would configure them.
func plainEnvironment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=/root", "LC_ALL=C"}
}

// printing is a program that prints, and what.
type printing struct {
	kind string
	argv []string
}

// startPrinting starts programs that print and a receiver that reads them, and
// returns when lines of new processes have come from each.
func (l *lab) startPrinting(ctx context.Context, programs ...printing) (*tracer, error) {
	t := &tracer{stop: syscall.SIGINT, said: &tail{}}
	args := []string{roleLines}
	var readers, writers []*os.File
	defer func() {
		for _, f := range append(readers, writers...) {
			f.Close()
		}
	}()
	for _, p := range programs {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		args, readers, writers = append(args, p.kind), append(readers, r), append(writers, w)
	}
	var err error
	if t.receiver, err = l.receive(ctx, readers, args...); err != nil {
		return nil, err
	}
	for i, p := range programs {
		argv := p.argv
		if _, err := os.Stat("/sys/kernel/tracing/events"); err != nil {
			// They need tracefs, which stands nowhere: in a mount namespace of
			// their own it does.
			argv = mounting("tracefs", "/sys/kernel/tracing", argv)
		}
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = plainEnvironment()
		cmd.Stdout, cmd.Stderr = writers[i], t.said
		if err := cmd.Start(); err != nil {
			return nil, errors.Join(fmt.Errorf("start %s: %w", argv[0], err), t.end())
		}
		t.processes = append(t.processes, cmd)
	}
	if err := l.awaitLines(ctx, t); err != nil {
		return nil, errors.Join(err, t.end())
	}
	return t, nil
}
