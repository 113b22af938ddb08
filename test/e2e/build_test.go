package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// buildCommand is the build that is traced: two jobs, one of which meets a file
// that does not compile.
var buildCommand = []string{"make", "-k", "-j2"}

// buildExitCode is how that build ends.
const buildExitCode = 2

// TestBuildInJaeger traces a build with `procspan exec` and finds it in Jaeger,
// process for process.
func TestBuildInJaeger(t *testing.T) {
	requireObservable(t)
	want := witnessBuild(t)
	jaeger := startJaeger(t)
	lasted := traceBuild(t, jaeger.otlp)
	checkBuild(t, jaeger, want, lasted)
}

// TestThroughCollector is the same by way of an OpenTelemetry Collector.
func TestThroughCollector(t *testing.T) {
	requireObservable(t)
	want := witnessBuild(t)
	jaeger := startJaeger(t)
	collector := startCollector(t, jaeger.otlp)
	lasted := traceBuild(t, collector.otlp)
	// The Collector passes on all it has before it ends: what Jaeger has then is
	// everything, and a span too many would show.
	if status := collector.stop(); status != "exit status 0" {
		t.Errorf("the collector ends with %s", status)
	}
	checkBuild(t, jaeger, want, lasted)
}

// traceBuild runs the build under `procspan exec` and tells how long it took.
func traceBuild(t *testing.T, otlp string) period {
	t.Helper()
	config := procspanConfig(t, otlp, "")
	command := append([]string{procspanBinary(t), "exec", "--config", config, "--"}, buildCommand...)
	begin := time.Now()
	code, output := runCommand(t, copyProject(t), command...)
	lasted := period{begin, time.Now()}
	if code != buildExitCode {
		t.Fatalf("procspan exec ends with %d, want make's %d\n%s", code, buildExitCode, output)
	}
	if !strings.Contains(output, "undeclared") {
		t.Errorf("procspan exec does not pass on what the compiler prints:\n%s", output)
	}
	return lasted
}

// witnessBuild runs the build under strace and returns the tree it saw, having
// made sure that strace saw the build.
func witnessBuild(t *testing.T) *node {
	t.Helper()
	requireTools(t)
	output := filepath.Join(t.TempDir(), "strace")
	command := slices.Concat([]string{"strace"}, straceArgs(output), buildCommand)
	if code, text := runCommand(t, copyProject(t), command...); code != buildExitCode {
		t.Fatalf("the build ends with %d under strace, want %d\n%s", code, buildExitCode, text)
	}
	tree := awaitWitness(t, output).tree()
	checkCounts(t, tree)
	return tree
}

// requireTools fails the test where what the build needs is not installed.
func requireTools(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"make", "gcc", "strace"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%v: install it (Debian: apt-get install make gcc strace)", err)
		}
	}
}

// checkCounts compares a tree of the build with what the Makefile asks for.
func checkCounts(t *testing.T, tree *node) {
	t.Helper()
	got := tree.count()
	want := map[string]int{
		"make":       1,
		"gcc":        7, // six compilations, one of which fails, and a link
		"cc1":        6,
		"as":         5, // not for the unit that does not compile
		"collect2":   1,
		"ld":         1,
		"strip":      1,
		"version.sh": 1,
		"sed":        1, // below subshells only
	}
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%d processes are %s, want %d", got[name], name, n)
		}
	}
}

// checkBuild compares what Jaeger has with the tree that the witness saw, and
// checks each span by itself and against its parent.
func checkBuild(t *testing.T, j *jaeger, want *node, lasted period) {
	t.Helper()
	spans := j.awaitSpans(t, "procspan", want.size())
	tree, err := treeOf(spans)
	if err != nil {
		t.Fatalf("the spans are not one tree: %v\n%s\nstrace saw\n%s", err, describe(spans), want)
	}
	if tree.String() != want.String() {
		t.Errorf("Jaeger shows\n%s\nstrace saw\n%s", tree, want)
	}
	if tree.name != "make" || tree.exitCode != buildExitCode {
		t.Errorf("the root is %s exit %d, want make exit %d", tree.name, tree.exitCode, buildExitCode)
	}
	checkCounts(t, tree)

	page := j.page(t, spans[0].TraceID)
	if len(page.Warnings) > 0 {
		t.Errorf("Jaeger warns about the trace: %q", page.Warnings)
	}
	if len(page.Spans) != len(spans) {
		t.Errorf("the page shows %d spans, want %d", len(page.Spans), len(spans))
	}
	byID := map[string]*span{}
	for _, s := range spans {
		byID[s.SpanID] = s
	}
	for _, s := range spans {
		checkSpan(t, s, page.Spans[s.SpanID])
		checkResource(t, s, "procspan")
		checkWithin(t, s, lasted)
		if parent := byID[s.ParentID]; parent != nil {
			// Every process of this build is waited for.
			checkInside(t, s, parent)
			// Below the script are subshells, which have a pid and no span.
			if got, want := s.Attributes["process.parent_pid"], parent.Attributes["process.pid"]; got != want && parent.Name != "version.sh" {
				t.Errorf("%v: process.parent_pid is %v, and its parent is %v", s, got, parent)
			}
		}
	}
	checkFailure(t, spans, byID)
}

// checkFailure finds the one unit that does not compile by its command line:
// the compiler and its driver have failed, and so has make.
func checkFailure(t *testing.T, spans []*span, byID map[string]*span) {
	t.Helper()
	var failed []string
	for _, s := range spans {
		if s.Attributes["process.exit.code"] == int64(0) {
			continue
		}
		failed = append(failed, fmt.Sprintf("%s exit %v", s.Name, s.Attributes["process.exit.code"]))
		if s.Name == "make" {
			continue
		}
		args, _ := stringList(s.Attributes["process.command_args"])
		if !slices.Contains(args, "broken.c") {
			t.Errorf("%v failed with the arguments %q, without broken.c", s, args)
		}
		want := map[string]string{"cc1": "gcc", "gcc": "make"}[s.Name]
		if parent := byID[s.ParentID]; parent == nil || parent.Name != want {
			t.Errorf("%v is below %v, want %s", s, parent, want)
		}
	}
	slices.Sort(failed)
	if want := []string{"cc1 exit 1", "gcc exit 1", "make exit 2"}; !slices.Equal(failed, want) {
		t.Errorf("failed are %q, want %q", failed, want)
	}
}
