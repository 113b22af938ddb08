package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestBuildByWitness has procspan and strace watch the same build, so that the
// span of each process is compared with what strace saw of this very process.
func TestBuildByWitness(t *testing.T) {
	requireObservable(t)
	requireTools(t)
	jaeger := startJaeger(t)
	project, output := copyProject(t), filepath.Join(t.TempDir(), "strace")
	// -D makes strace a grandchild of the process that becomes make: a process
	// that forked and did not exec, thus no part of the trace.
	// It also forks children that it kills, to try out ptrace, and does not see those.
	config := procspanConfig(t, jaeger.otlp, "", "capture: {args: full, forks: off}")
	command := slices.Concat(
		[]string{procspanBinary(t), "exec", "--config", config, "--", "strace", "-D"},
		straceArgs(output), buildCommand)
	if code, text := runCommand(t, project, command...); code != buildExitCode {
		t.Fatalf("procspan exec ends with %d, want %d\n%s", code, buildExitCode, text)
	}

	seen := awaitWitness(t, output)
	want := seen.tree()
	checkCounts(t, want)
	spans := jaeger.awaitSpans(t, "procspan", want.size())
	tree, err := treeOf(spans)
	if err != nil {
		t.Fatalf("the spans are not one tree: %v\n%s\nstrace saw\n%s", err, describe(spans), want)
	}
	if tree.String() != want.String() {
		t.Errorf("Jaeger shows\n%s\nstrace saw\n%s", tree, want)
	}
	pids := map[string]int64{}
	for _, s := range spans {
		pids[s.SpanID], _ = s.Attributes["process.pid"].(int64)
	}
	for _, s := range spans {
		pid := pids[s.SpanID]
		p := seen.processes[int(pid)]
		if p == nil || len(p.execs) == 0 {
			t.Errorf("%v: strace saw no such process", s)
			continue
		}
		checkWitnessed(t, s, p, project)
		if ancestor := seen.ancestor(p); ancestor != nil && pids[s.ParentID] != int64(ancestor.pid) {
			t.Errorf("%v is below the span of process %d, want %d", s, pids[s.ParentID], ancestor.pid)
		}
	}
}

// checkWitnessed compares a span with the process that strace saw in dir.
func checkWitnessed(t *testing.T, s *span, p *witnessed, dir string) {
	t.Helper()
	first, last := p.execs[0], p.last()
	if want := filepath.Base(last.file); s.Name != want {
		t.Errorf("%v: the name is %q, want %q", s, s.Name, want)
	}
	if got := s.Attributes["process.exit.code"]; got != int64(p.exitCode) {
		t.Errorf("%v: process.exit.code is %v, want %d", s, got, p.exitCode)
	}
	// The root's parent is procspan, which strace did not see.
	if got := s.Attributes["process.parent_pid"]; p.parent != 0 && got != int64(p.parent) {
		t.Errorf("%v: process.parent_pid is %v, want %d", s, got, p.parent)
	}
	if got := s.Attributes["process.working_directory"]; got != dir {
		t.Errorf("%v: process.working_directory is %v, want %s", s, got, dir)
	}
	checkTimes(t, s, first.at, p.endedAt)
	reexecs := len(p.execs) - 1
	if p.parent == 0 {
		reexecs++ // the root was strace first, which it does not tell
	}
	if len(s.Events) != reexecs {
		t.Errorf("%v has the events %v, want %d of a further exec", s, s.Events, reexecs)
	}

	// A script is run by its interpreter, whose arguments and file these are.
	args, _ := stringList(s.Attributes["process.command_args"])
	if strings.HasSuffix(last.file, ".sh") {
		if n := len(last.args); len(args) < n || !slices.Equal(args[len(args)-n+1:], last.args[1:]) {
			t.Errorf("%v: process.command_args is %q, want it to end as %q", s, args, last.args)
		}
		return
	}
	if !slices.Equal(args, last.args) {
		t.Errorf("%v: process.command_args is %q, want %q", s, args, last.args)
	}
	if got := s.Attributes["process.command"]; got != last.args[0] {
		t.Errorf("%v: process.command is %v, want %q", s, got, last.args[0])
	}
	path := last.file
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil && s.Attributes["process.executable.path"] != real {
		t.Errorf("%v: process.executable.path is %v, want %s", s, s.Attributes["process.executable.path"], real)
	} else if err != nil && !os.IsNotExist(err) {
		t.Errorf("%v: %v", s, err)
	}
}

// checkTimes compares a span's times with when the process was seen to start
// and seen to have ended.
func checkTimes(t *testing.T, s *span, start, end time.Time) {
	t.Helper()
	if d := s.Start.Sub(start); d < -clockTolerance || d > clockTolerance {
		t.Errorf("%v starts at %s, want %s", s, clock(s.Start), clock(start))
	}
	if d := s.End.Sub(end); d < -clockTolerance || d > clockTolerance {
		t.Errorf("%v ends at %s, want %s", s, clock(s.End), clock(end))
	}
}
