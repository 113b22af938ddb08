package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// execService is the service name that procspan gives itself.
const execService = "procspan"

// runExec runs a command under `procspan exec` in dir, with these variables
// added to procspan's environment.
func (b *bench) runExec(t *testing.T, dir string, variables []string, command ...string) {
	t.Helper()
	exec := append([]string{"env"}, variables...)
	exec = append(exec, b.procspan, "exec", "--config", procspanConfig(t, b.jaeger.otlp, ""), "--")
	mustRun(t, dir, append(exec, command...)...)
}

// testInstrumented runs a program with the OpenTelemetry SDK: its span, "work",
// hangs on the command's, and what it starts in turn on its span.
func (b *bench) testInstrumented(t *testing.T) {
	program := filepath.Join(t.TempDir(), "instrumented")
	goBuild(t, ".", program, "./instrumented")
	variables := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + b.jaeger.otlp, "OTEL_SERVICE_NAME=instrumented"}
	for _, tc := range []struct {
		name, want string
		command    []string
	}{
		{"as the command", `
trace
  instrumented
    work
      sh
        ls
        true
`, []string{program, "sh", "-c", "/bin/true; ls; exit"}},
		{"in a shell", `
trace
  sh
    instrumented
    work
      true
`, []string{"sh", "-c", program + " /bin/true; true"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			b.runExec(t, dir, variables, tc.command...)
			f := b.jaeger.awaitForest(t, tc.want, execService, dir)
			if got := f.find(t, "work").Resource["service.name"]; got != "instrumented" {
				t.Errorf("the SDK's span is of the service %v", got)
			}
		})
	}
}

// seeTraceparent is a command that writes the TRACEPARENT it sees to a file.
var seeTraceparent = []string{"sh", "-c", `echo "$TRACEPARENT" >seen; ls; exit`}

// seenTraceparent returns what it wrote.
func seenTraceparent(t *testing.T, dir string) string {
	t.Helper()
	seen, err := os.ReadFile(filepath.Join(dir, "seen"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(seen))
}

// testExecTraceparent runs `procspan exec` under a TRACEPARENT.
func (b *bench) testExecTraceparent(t *testing.T) {
	dir := t.TempDir()
	build := newRemote()
	build.send(t, b.jaeger.otlp)
	b.runExec(t, dir, []string{"TRACEPARENT=" + build.traceparent("01")}, seeTraceparent...)
	f := b.jaeger.awaitForest(t, `
trace
  build
    sh
      ls
`, execService, dir)
	want := remote(f.find(t, "sh").context()).traceparent("01")
	if got := seenTraceparent(t, dir); got != want {
		t.Errorf("the command sees TRACEPARENT %s, want %s", got, want)
	}
}

// testExecNotSampled does so under one that says that it is not sampled: there
// are no spans, and the command is told the same.
func (b *bench) testExecNotSampled(t *testing.T) {
	dir := t.TempDir()
	build := newRemote()
	b.runExec(t, dir, []string{"TRACEPARENT=" + build.traceparent("00")}, seeTraceparent...)
	got := seenTraceparent(t, dir)
	if !strings.HasPrefix(got, "00-"+build.TraceID+"-") || !strings.HasSuffix(got, "-00") || got == build.traceparent("00") {
		t.Errorf("the command sees TRACEPARENT %s, want another span than %s, not sampled either", got, build.traceparent("00"))
	}
	b.jaeger.checkNoTrace(t, build.TraceID) // procspan has sent what it will
}
