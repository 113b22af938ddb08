package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// checkSpan checks what must hold for the span of any process that ended by
// itself, and that Jaeger's page marks it red exactly when it failed.
func checkSpan(t *testing.T, s *span, row pageSpan) {
	t.Helper()
	if len(s.Warnings) > 0 || len(row.Warnings) > 0 {
		t.Errorf("%v: Jaeger warns: %q %q", s, s.Warnings, row.Warnings)
	}
	if s.Kind != 1 {
		t.Errorf("%v has kind %d, want 1 (INTERNAL)", s, s.Kind)
	}
	if !s.Start.Before(s.End) {
		t.Errorf("%v lasts from %v to %v", s, s.Start, s.End)
	}
	for _, key := range []string{"process.pid", "process.parent_pid", "process.exit.code"} {
		if _, ok := s.Attributes[key].(int64); !ok {
			t.Errorf("%v: %s is %#v, want an integer", s, key, s.Attributes[key])
		}
	}
	for _, key := range []string{"process.executable.name", "process.executable.path", "process.command", "process.working_directory"} {
		if text, _ := s.Attributes[key].(string); text == "" {
			t.Errorf("%v: %s is %#v, want text", s, key, s.Attributes[key])
		}
	}
	path, _ := s.Attributes["process.executable.path"].(string)
	if name := s.Attributes["process.executable.name"]; name != filepath.Base(path) {
		t.Errorf("%v: process.executable.name is %v with the path %s", s, name, path)
	}
	created, err := time.Parse(time.RFC3339Nano, fmt.Sprint(s.Attributes["process.creation.time"]))
	if err != nil || created.After(s.Start) {
		t.Errorf("%v: process.creation.time is %v with the start %v", s, s.Attributes["process.creation.time"], s.Start)
	}
	if args, ok := stringList(s.Attributes["process.command_args"]); !ok || len(args) == 0 {
		t.Errorf("%v: process.command_args is %#v, want a list of strings", s, s.Attributes["process.command_args"])
	}
	checkOutcome(t, s, row)
}

// checkOutcome checks that status, error.type and red mark say what the exit
// code says.
func checkOutcome(t *testing.T, s *span, row pageSpan) {
	t.Helper()
	var wantType any
	wantStatus, code := 0, s.Attributes["process.exit.code"]
	if code != int64(0) {
		wantStatus, wantType = 2, fmt.Sprint(code)
		if signal, killed := s.Attributes["procspan.exit.signal"]; killed {
			wantType = signal
		}
	}
	if s.StatusCode != wantStatus {
		t.Errorf("%v: status is %d with exit code %v, want %d", s, s.StatusCode, code, wantStatus)
	}
	if got := s.Attributes["error.type"]; got != wantType {
		t.Errorf("%v: error.type is %#v with exit code %v, want %#v", s, got, code, wantType)
	}
	if row.Error != (wantStatus == 2) {
		t.Errorf("%v: Jaeger's error mark is %v with exit code %v", s, row.Error, code)
	}
}

// checkResource checks what the span says about the host and its sender.
func checkResource(t *testing.T, s *span, service string) {
	t.Helper()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	want := attributes{
		"service.name":          service,
		"host.name":             host,
		"os.type":               "linux",
		"telemetry.distro.name": "procspan",
		"telemetry.sdk.name":    "opentelemetry",
	}
	for key, value := range want {
		if s.Resource[key] != value {
			t.Errorf("%v: resource attribute %s is %#v, want %#v", s, key, s.Resource[key], value)
		}
	}
	for _, key := range []string{"telemetry.distro.version", "telemetry.sdk.version", "os.description"} {
		if text, _ := s.Resource[key].(string); text == "" {
			t.Errorf("%v: resource attribute %s is %#v, want text", s, key, s.Resource[key])
		}
	}
	if id, err := os.ReadFile("/etc/machine-id"); err == nil && len(id) > 0 && s.Resource["host.id"] != strings.TrimSpace(string(id)) {
		t.Errorf("%v: resource attribute host.id is %#v, want /etc/machine-id's", s, s.Resource["host.id"])
	}
}

// clockTolerance is by how much procspan's clock and another's may differ; an
// observer such as strace, which stops what it watches, is also late itself.
const clockTolerance = 250 * time.Millisecond

// period is a time in which something happened.
type period struct{ begin, end time.Time }

// checkWithin checks a span's times against when its process was run.
func checkWithin(t *testing.T, s *span, p period) {
	t.Helper()
	if s.Start.Before(p.begin.Add(-clockTolerance)) || s.End.After(p.end.Add(clockTolerance)) {
		t.Errorf("%v lasts from %s to %s, outside of %s to %s", s,
			clock(s.Start), clock(s.End), clock(p.begin), clock(p.end))
	}
}

// checkInside checks the times of a process whose parent waited for it.
func checkInside(t *testing.T, child, parent *span) {
	t.Helper()
	if child.Start.Before(parent.Start) || child.End.After(parent.End) {
		t.Errorf("%v lasts from %v to %v, outside of %v, from %v to %v", child,
			clock(child.Start), clock(child.End), parent, clock(parent.Start), clock(parent.End))
	}
}

// clock writes a time of day to the nanosecond.
func clock(at time.Time) string { return at.Format("15:04:05.000000000") }
