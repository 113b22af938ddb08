package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// unwatched is how many lifetimes there are while no agent runs.
var unwatched = flag.Int64("unwatched", 3000, "lifetimes while no agent runs, in TestPersist; 500 a second")

// persisting are options of procspan's by which it outlives itself, with its store
// in a directory.
func persisting(t *testing.T, store string) string {
	t.Helper()
	return fmt.Sprintf("delivery: {directory: %q}, daemon: {persist: true, pin_directory: %q, state_directory: %q}",
		store, bpffs(t), filepath.Join(t.TempDir(), "state"))
}

// detachAtTheEnd ends what a procspan of this configuration leaves behind, once it
// has ended itself: it is to be called before that is started.
func detachAtTheEnd(t *testing.T, config string) {
	t.Helper()
	binary := procspanBinary(t)
	t.Cleanup(func() {
		output, err := exec.Command(binary, "detach", "--config", config).CombinedOutput()
		if err != nil || !strings.Contains(string(output), "unloaded the BPF programs") {
			t.Errorf("procspan detach ends with %v: %s", err, output)
		}
	})
}

// bpffs mounts a BPF file system for the test, and returns where procspan may
// pin its programs there.
func bpffs(t *testing.T) (pins string) {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("bpf", dir, "bpf", 0, ""); err != nil {
		t.Fatalf("mount a BPF file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "procspan")
}

// TestPersist kills the agent in the middle of a load, lets the load go on for a
// while, and starts another agent: every lifetime has its span, and trees that
// span the gap are one trace.
func TestPersist(t *testing.T) {
	requireObservable(t)
	sink := startSink(t)
	config := procspanConfig(t, sink.otlp, "", persisting(t, t.TempDir()))
	detachAtTheEnd(t, config)

	first := startRun(t, config)
	shell := startHeld(t, "sh", "-c", `date -R; while read step; do env "$step"; done; true`)
	shell.await(t, "sh")
	step := func(program string) {
		if _, err := fmt.Fprintln(shell.input.(*os.File), program); err != nil {
			t.Fatal(err)
		}
	}
	load := startLoad(t, lifetimesPerSecond)
	step("uname")
	load.await(2 * lifetimesPerSecond)
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.exited
	step("hostname")
	load.await(load.ended.Load() + *unwatched)
	second := startRun(t, config)
	step("whoami")
	load.await(load.ended.Load() + lifetimesPerSecond)
	ended := shell.end(t, "sh")
	total := load.stop()
	if status := second.stop(); status != "exit status 0" {
		t.Errorf("procspan ends with %s", status)
	}
	sink.finish(t)

	spans := once(t, sink.spans(t))
	numbers := map[string]bool{}
	for _, s := range spans {
		args, _ := s.Attributes["process.command_args"].([]any)
		if len(args) != 2 || !strings.HasPrefix(fmt.Sprint(args[1]), numberedArgument) {
			continue
		}
		numbers[fmt.Sprint(args[1])] = true
		if s.Attributes["process.exit.code"] != int64(0) || s.Attributes["procspan.start.estimated"] != nil {
			t.Errorf("%v: exit code %v, start estimated %v", s, s.Attributes["process.exit.code"], s.Attributes["procspan.start.estimated"])
		}
	}
	t.Logf("%d processes, %d of them while no agent ran; %d spans", total, *unwatched, len(numbers))
	if len(numbers) != int(total) {
		t.Errorf("%d of %d processes have no span", int(total)-len(numbers), total)
	}
	root := ended.find(t, spans)
	if root == nil {
		return
	}
	for _, name := range []string{"date", "uname", "hostname", "whoami"} {
		found := 0
		for _, s := range spans {
			if s.Name == name && s.TraceID == root.TraceID && s.ParentID == root.SpanID {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%d spans of %s are under %v, want 1", found, name, root)
		}
	}
	if text := second.printed(); !strings.Contains(text, "BPF programs of the previous agent taken over") || strings.Contains(text, "level=ERROR") {
		t.Errorf("the second agent says:\n%s", text)
	}
	if lost := ledgerNumber(t, second, "lost"); lost != 0 {
		t.Errorf("the ledger has %d lost", lost)
	}
}

// once returns the spans without those that came again, which are the same.
func once(t *testing.T, spans []*span) (different []*span) {
	t.Helper()
	seen := map[string]*span{}
	for _, s := range spans {
		other := seen[s.SpanID]
		if other == nil {
			seen[s.SpanID] = s
			different = append(different, s)
			continue
		}
		if other.TraceID != s.TraceID || other.ParentID != s.ParentID || !other.Start.Equal(s.Start) || !other.End.Equal(s.End) {
			t.Errorf("%v has come as another one, too: in trace %s and %s, from %s to %s and from %s to %s", s,
				s.TraceID, other.TraceID, s.Start, s.End, other.Start, other.End)
		}
	}
	return different
}
