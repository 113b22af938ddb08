package e2e

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The events that log records tell of.
const (
	execEvent = "procspan.process.exec"
	exitEvent = "procspan.process.exit"
)

// TestLogs has `procspan run` tell a Collector of starts and ends, by log
// records that agree with the spans.
func TestLogs(t *testing.T) {
	requireObservable(t)
	s := startSink(t)
	daemon := startRun(t, s.config(t, atOnce))
	since := time.Now()

	living := startHeld(t, "cat")
	begun := s.awaitExec(t, living.pid())
	if got := s.of(t, living.pid()); len(got) != 1 {
		t.Errorf("while it lives there are %d records of cat, want 1: %v", len(got), got)
	}

	type ended struct {
		*outcome
		severity, body string
		execs          []string
	}
	all := []ended{
		{living.end(t, "cat"), "INFO 9", "cat: exit code 0", []string{"cat: exec"}},
		{runOutcome(t, "true", 0, "true"), "INFO 9", "true: exit code 0", []string{"true: exec"}},
		{runOutcome(t, "sh", 3, "sh", "-c", "exit 3"), "WARN 13", "sh: exit code 3", []string{"sh: exec"}},
		{runOutcome(t, "grep", 1, "grep", "what is not there", "/dev/null"), "INFO 9", "grep: exit code 1", []string{"grep: exec"}},
		{runOutcome(t, "grep", 2, "grep", "-q", "x", "/what/is/not/there"), "WARN 13", "grep: exit code 2", []string{"grep: exec"}},
		{runOutcome(t, "sh", 128+int(syscall.SIGKILL), "sh", "-c", "kill -KILL $$"), "ERROR 17", "sh: killed by SIGKILL", []string{"sh: exec"}},
		{runOutcome(t, "true", 0, "sh", "-c", "exec env true"), "INFO 9", "true: exit code 0", []string{"sh: exec", "env: exec", "true: exec"}},
	}
	if status := daemon.stop(); status != "exit status 0" {
		t.Errorf("procspan run ends with %s", status)
	}
	s.finish(t)

	spans, records := s.spans(t), s.records(t)
	checkAgreement(t, spans, records, since)
	for _, want := range all {
		span := want.find(t, spans)
		if span == nil {
			continue
		}
		want.check(t, span)
		execs, exit := recordsOf(records, span)
		if exit == nil {
			continue // checkAgreement has told
		}
		if exit.Severity != want.severity || exit.Body != want.body {
			t.Errorf("%v has severity %s, want %q with %s", exit, exit.Severity, want.body, want.severity)
		}
		var bodies []string
		for _, r := range execs {
			bodies = append(bodies, fmt.Sprint(r.Body))
			if r.Severity != "INFO 9" || r.Attributes["process.pid"] != int64(want.pid) {
				t.Errorf("%v has severity %s, want of process %d with INFO 9", r, r.Severity, want.pid)
			}
		}
		if !slices.Equal(bodies, want.execs) {
			t.Errorf("the records of %v tell of %q, want %q", span, bodies, want.execs)
		}
		expected := want.name == "grep" && want.code == 1
		if got := exit.Attributes["procspan.exit.expected"]; (got == true) != expected {
			t.Errorf("%v: procspan.exit.expected is %v, want %t", exit, got, expected)
		}
	}
	if span := all[0].find(t, spans); span != nil && (begun.SpanID != span.SpanID || begun.TraceID != span.TraceID) {
		t.Errorf("while cat lived its record had the span %s of trace %s, want %v of %s", begun.SpanID, begun.TraceID, span, span.TraceID)
	}
}

// TestLogsOfMany counts: of each of many short processes there is one span, one
// record of its exec and one of its exit.
func TestLogsOfMany(t *testing.T) {
	requireObservable(t)
	const many = 500
	s := startSink(t)
	mustRun(t, "", procspanBinary(t), "exec", "--config", s.config(t, atOnce), "--",
		"sh", "-c", `n=0; while [ $n -lt $1 ]; do /bin/true $n; n=$((n+1)); done`, "sh", fmt.Sprint(many))
	s.finish(t)

	spans, records := s.spans(t), s.records(t)
	checkAgreement(t, spans, records, time.Time{})
	if len(spans) != many+1 || len(records) != 2*len(spans) {
		t.Errorf("there are %d spans and %d records, want %d and %d", len(spans), len(records), many+1, 2*(many+1))
	}
	for n, span := range named(spans, "true") { // one after the other
		args, _ := stringList(span.Attributes["process.command_args"])
		if want := []string{"/bin/true", fmt.Sprint(n)}; !slices.Equal(args, want) {
			t.Fatalf("%v has the arguments %q, want %q", span, args, want)
		}
		execs, _ := recordsOf(records, span)
		if len(execs) != 1 {
			continue // checkAgreement has told
		}
		for key, value := range execs[0].Attributes {
			if !reflect.DeepEqual(span.Attributes[key], value) {
				t.Errorf("%v: %s is %v, and %v of %v", execs[0], key, value, span.Attributes[key], span)
			}
		}
	}
}

// checkAgreement checks all that has come of processes that began to be observed
// since: records and spans tell of the same, and everything once.
func checkAgreement(t *testing.T, spans []*span, records []*record, since time.Time) {
	t.Helper()
	byID := spansByID(t, spans)
	execs, exits := map[string]int{}, map[string]int{}
	for _, r := range records {
		s := byID[r.SpanID]
		switch {
		case r.Event == execEvent && s == nil: // it still lives
		case s == nil:
			t.Errorf("there is no span of %v", r)
		case r.TraceID != s.TraceID:
			t.Errorf("%v is in the trace %s, its span in %s", r, r.TraceID, s.TraceID)
		case r.Event == execEvent:
			if !slices.ContainsFunc(execTimes(s), r.Time.Equal) {
				t.Errorf("%v is of %s, want one of %v", r, clock(r.Time), execTimes(s))
			}
			execs[r.SpanID]++
		case r.Event == exitEvent:
			exits[r.SpanID]++
			if !r.Time.Equal(s.End) {
				t.Errorf("%v is of %s, and %v ends at %s", r, clock(r.Time), s, clock(s.End))
			}
			if !maps.EqualFunc(r.Attributes, s.Attributes, func(a, b any) bool { return reflect.DeepEqual(a, b) }) {
				t.Errorf("%v has the attributes\n%v, its span has\n%v", r, r.Attributes, s.Attributes)
			}
		default:
			t.Errorf("what is %v?", r)
		}
	}
	for _, s := range spans {
		if exits[s.SpanID] != 1 {
			t.Errorf("%v has %d records of its exit, want 1", s, exits[s.SpanID])
		}
		if want := len(execTimes(s)); execs[s.SpanID] != want && s.Start.After(since) {
			t.Errorf("%v has %d records of execs, want %d", s, execs[s.SpanID], want)
		}
	}
}

// execTimes returns when a process executed programs, by its span.
func execTimes(s *span) []time.Time {
	times := []time.Time{s.Start}
	for _, e := range s.Events {
		if e.Name == "procspan.exec" {
			times = append(times, e.Time)
		}
	}
	return times
}

// recordsOf returns the records of a span.
func recordsOf(records []*record, s *span) (execs []*record, exit *record) {
	for _, r := range records {
		switch {
		case r.SpanID != s.SpanID:
		case r.Event == execEvent:
			execs = append(execs, r)
		default:
			exit = r
		}
	}
	return execs, exit
}

// of returns the records of a process.
func (s *sink) of(t *testing.T, pid int) (found []*record) {
	t.Helper()
	for _, r := range s.records(t) {
		if r.Attributes["process.pid"] == int64(pid) {
			found = append(found, r)
		}
	}
	return found
}

// awaitExec returns the record of a process's exec.
func (s *sink) awaitExec(t *testing.T, pid int) *record {
	t.Helper()
	var found []*record
	err := poll(t.Context(), readTimeout, func(context.Context) error {
		if found = s.of(t, pid); len(found) == 0 {
			return fmt.Errorf("there is no log record of process %d", pid)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found[0].Event != execEvent {
		t.Errorf("the first record is %v, want of an exec", found[0])
	}
	return found[0]
}

// TestLogsNotTaken sends log records to Jaeger, which takes spans only.
// procspan says so once, and goes on.
func TestLogsNotTaken(t *testing.T) {
	requireObservable(t)
	jaeger := startJaeger(t)
	provider := fmt.Sprintf(`{processors: [{batch: {schedule_delay: 10, max_export_batch_size: 1, exporter: {otlp_grpc: {endpoint: "http://%s"}}}}]}`, jaeger.otlp)
	config := writeFile(t, "procspan.yaml", fmt.Sprintf("file_format: \"1.0\"\ntracer_provider: %[1]s\nlogger_provider: %[1]s\n", provider))
	code, output := runCommand(t, "", procspanBinary(t), "exec", "--config", config, "--",
		"sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do /bin/true; done")
	if code != 0 {
		t.Errorf("procspan exec ends with %d, want the command's 0\n%s", code, output)
	}
	var warnings []string
	for line := range strings.Lines(output) {
		if !strings.Contains(line, "level=INFO") {
			warnings = append(warnings, line)
		}
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "level=WARN") ||
		!strings.Contains(warnings[0], "endpoint does not accept log records") || !strings.Contains(warnings[0], "hint=") {
		t.Errorf("procspan warns %q, want once, that endpoint does not accept log records", warnings)
	}
	spans := jaeger.awaitSpans(t, execService, 10)
	if tree, err := treeOf(spans); err != nil || tree.size() != 10 {
		t.Errorf("Jaeger has\n%s, want sh and 9 of true: %v", describe(spans), err)
	}
}
