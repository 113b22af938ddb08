package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
)

// TestOverflow stops procspan while the command that it watches starts more
// processes than the ring buffer has room for: those that have no span are as
// many as procspan says.
func TestOverflow(t *testing.T) {
	requireObservable(t)
	const children = 2000
	sink, dir := startSink(t), t.TempDir()
	begun, goOn, done := filepath.Join(dir, "begun"), filepath.Join(dir, "go"), filepath.Join(dir, "done")
	if err := syscall.Mkfifo(goOn, 0o600); err != nil {
		t.Fatal(err)
	}
	config := sink.config(t, atOnce, "distribution: {procspan: {kernel: {ring_size: 64KiB}}}")
	script := fmt.Sprintf(`: >%s; read word <%s; i=0; while [ $i -lt %d ]; do /bin/true; i=$((i+1)); done; : >%s; read word <%s`,
		begun, goOn, children, done, goOn)
	procspan := startServer(t, "procspan", procspanBinary(t), "exec", "--config", config, "--", "/bin/sh", "-c", script)
	awaitFile(t, procspan, begun)
	signal := func(s syscall.Signal) {
		if err := procspan.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	release := func() {
		if err := os.WriteFile(goOn, []byte("on\n"), 0); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	release()
	awaitFile(t, procspan, done)
	signal(syscall.SIGCONT)
	release()
	<-procspan.exited
	if status := procspan.cmd.ProcessState.String(); status != "exit status 0" {
		t.Errorf("procspan ends with %s", status)
	}
	sink.finish(t)

	spans := once(t, sink.spans(t))
	estimated := 0
	for _, s := range spans {
		if s.Attributes["procspan.exit.estimated"] == true {
			estimated++
			if s.Attributes["process.exit.code"] != nil || s.StatusCode != 0 {
				t.Errorf("%v: nobody saw its exit, and it has code %v and status %d", s, s.Attributes["process.exit.code"], s.StatusCode)
			}
		}
	}
	lost := ledgerNumber(t, procspan, "lost")
	const truth = children + 1 // and the shell
	t.Logf("%d processes, %d spans, %d of them with an estimated end, %d lost by the ledger", truth, len(spans), estimated, lost)
	if lost == 0 {
		t.Error("nothing was lost: this tests nothing")
	}
	if truth-len(spans) != lost {
		t.Errorf("%d processes have no span, the ledger has %d", truth-len(spans), lost)
	}
	if seen := ledgerNumber(t, procspan, "seen"); seen != truth {
		t.Errorf("the ledger has seen %d processes, want %d", seen, truth)
	}
}

// ledgerNumber returns a number of the last ledger that procspan has told.
func ledgerNumber(t *testing.T, procspan *server, key string) int {
	t.Helper()
	found := regexp.MustCompile(`msg=ledger .*\b`+key+`=(\d+)`).FindAllStringSubmatch(procspan.printed(), -1)
	if len(found) == 0 {
		t.Fatalf("procspan has told no ledger with %s:\n%s", key, procspan.logTail())
	}
	n, err := strconv.Atoi(found[len(found)-1][1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// awaitFile returns when a file is there.
func awaitFile(t *testing.T, s *server, path string) {
	t.Helper()
	err := s.awaitReady(t.Context(), func(context.Context) error {
		if _, err := os.Stat(path); err != nil {
			return errors.New("there is no " + filepath.Base(path) + " yet")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
