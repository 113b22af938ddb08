package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// commandTimeout bounds a command that a test runs to its end.
const commandTimeout = 2 * time.Minute

// notSupported is why procspan cannot observe processes here. Nothing else may skip
// a test.
type notSupported struct{ what, hint string }

func (e *notSupported) Error() string { return e.what + "; " + e.hint }

// observable returns a [notSupported] where procspan cannot observe processes.
func observable() error {
	if os.Geteuid() != 0 {
		return &notSupported{"loading BPF programs needs root", "run go test as root"}
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		return &notSupported{"this kernel has no BTF", "use one built with CONFIG_DEBUG_INFO_BTF"}
	}
	return nil
}

// requireObservable skips the test where procspan cannot observe processes. In
// CI, which can, that is a failure: a skip must not pass for a success.
func requireObservable(t *testing.T) {
	t.Helper()
	err := observable()
	var reason *notSupported
	switch {
	case err == nil:
	case errors.As(err, &reason) && os.Getenv("CI") != "true":
		t.Skip(reason)
	default:
		t.Fatal(err)
	}
}

// procspanConfig writes procspan's configuration file: traces go to the
// OTLP/gRPC receiver at otlp, command lines are recorded whole. A service name
// other than "" is set as a resource attribute; options are more of procspan's
// own.
func procspanConfig(t *testing.T, otlp, service string, options ...string) (path string) {
	t.Helper()
	return procspanConfigOver(t, overGRPC, otlp, service, options...)
}

// procspanConfigOver is procspanConfig for a protocol.
func procspanConfigOver(t *testing.T, p protocol, otlp, service string, options ...string) (path string) {
	t.Helper()
	if !slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, "capture:") }) {
		options = append(options, "capture: {args: full}")
	}
	resource := ""
	if service != "" {
		resource = fmt.Sprintf("resource: {attributes: [{name: service.name, value: %q}]}\n", service)
	}
	return writeFile(t, "procspan.yaml", fmt.Sprintf(`file_format: "1.0"
%stracer_provider: {processors: [{batch: {exporter: %s}}]}
distribution: {procspan: {%s}}
`, resource, p.exporter(otlp), strings.Join(options, ", ")))
}

// startRun starts `procspan run`, and returns when it observes.
func startRun(t *testing.T, config string, options ...string) *server {
	t.Helper()
	daemon := startServer(t, "procspan", procspanBinary(t), append([]string{"run", "--config", config}, options...)...)
	err := daemon.awaitReady(t.Context(), func(context.Context) error {
		if !strings.Contains(daemon.printed(), "msg=observing") {
			return errors.New("it has not logged that it observes")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return daemon
}

// copyProject returns a fresh copy of the C project.
func copyProject(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "cproject")
	if err := os.CopyFS(dir, os.DirFS("testdata/cproject")); err != nil {
		t.Fatalf("copy the C project: %v", err)
	}
	return dir
}

// runCommand runs a command to its end in dir and returns its exit code and
// what it printed.
func runCommand(t *testing.T, dir string, command ...string) (exitCode int, output string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	var text bytes.Buffer
	cmd.Dir, cmd.Env = dir, cleanEnviron()
	cmd.Stdout, cmd.Stderr = &text, &text
	cmd.WaitDelay = stopTimeout
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		t.Fatalf("run %s: %v\n%s", strings.Join(command, " "), err, text.String())
	}
	return cmd.ProcessState.ExitCode(), text.String()
}
