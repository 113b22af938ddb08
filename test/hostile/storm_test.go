package hostile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// Processes that execute with as much environment and as many arguments as a
// record may hold make the agent lose no more than plain ones do.
func TestFatRecords(t *testing.T) {
	requireRoot(t)
	const workers, processes = 16, 4000
	dir := stage(t)
	lost := map[string]int{}
	for _, kind := range []string{"plain", "fat"} {
		t.Run(kind, func(t *testing.T) {
			a := startAgent(t, dir, "", "")
			cmd := asNobody(filepath.Join(dir, "attacker"))
			cmd.Env = append(cmd.Env, fmt.Sprintf("%s=storm %s %d %d", roleVariable, kind, workers, processes))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			a.check()
			found := regexp.MustCompile(`msg=ledger .*\blost=(\d+)`).FindAllStringSubmatch(a.log.String(), -1)
			if len(found) == 0 {
				t.Fatal("the agent has told no ledger")
			}
			n, err := strconv.Atoi(found[len(found)-1][1])
			if err != nil {
				t.Fatal(err)
			}
			lost[kind] = n
		})
	}
	t.Logf("lost: %v of %d", lost, processes)
	if lost["fat"] > lost["plain"]+processes/100 {
		t.Errorf("of %d processes %d are lost when they are fat, and %d when they are not", processes, lost["fat"], lost["plain"])
	}
}

// storm runs processes by workers at once: args are the kind, and both numbers.
func storm(args string) error {
	var kind string
	var workers, processes int
	if _, err := fmt.Sscan(args, &kind, &workers, &processes); err != nil {
		return err
	}
	var left atomic.Int64
	left.Store(int64(processes))
	failed := make(chan error, workers)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for left.Add(-1) >= 0 {
				cmd := exec.Command("/bin/true")
				cmd.Env = []string{}
				if kind == "fat" {
					cmd.Args = append(cmd.Args, strings.Repeat("a", 4<<10))
					cmd.Env = []string{"TRACEPARENT=" + strings.Repeat("0", 8<<10), "TRACESTATE=" + strings.Repeat("s", 8<<10)}
				}
				if err := cmd.Run(); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	running.Wait()
	close(failed)
	return <-failed
}

// mountBPF mounts a BPF file system in which everybody may make files, until the
// test ends.
func mountBPF(t *testing.T, dir string) error {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("bpf", dir, "bpf", 0, "mode=1777"); err != nil {
		return fmt.Errorf("mount a BPF file system: %w", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return nil
}
