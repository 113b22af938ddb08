package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var outage = flag.Duration("outage", 20*time.Second, "how long the collector is away in TestOutage")

const lifetimesPerSecond = 500

// storeSize is the size of what is stored in delivery.directory, 0 if there are none.
func storeSize(t *testing.T, directory string) (bytes int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(directory, "*-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if errors.Is(err, os.ErrNotExist) {
			continue // sent since
		}
		if err != nil {
			t.Fatal(err)
		}
		bytes += info.Size()
	}
	return bytes
}

// TestOutage has processes live and die while the collector is away, kills
// procspan in the middle, and starts it again: all of them arrive.
//
//	go test -run TestOutage -outage 3m
func TestOutage(t *testing.T) {
	requireObservable(t)
	overBoth(t, func(t *testing.T, p protocol) {
		if p == overHTTP {
			testOutage(t, p, *outage/2)
		} else {
			testOutage(t, p, *outage)
		}
	})
}

func testOutage(t *testing.T, p protocol, outage time.Duration) {
	before := startSinkOver(t, p)
	port := portOf(t, before.otlp)
	store := filepath.Join(t.TempDir(), "store")
	config := procspanConfigOver(t, p, before.otlp, "", persisting(t, store))
	detachAtTheEnd(t, config)
	first := startRun(t, config)
	load := startLoad(t, lifetimesPerSecond)
	load.await(lifetimesPerSecond)
	if storeSize(t, store) > 0 {
		t.Error("there is a store while the collector takes everything")
	}
	before.finish(t)
	begin := time.Now()
	memory := watchMemory(t, first, outage/2)
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.exited

	second := startRun(t, config)
	memory = max(memory, watchMemory(t, second, outage-time.Since(begin)))
	size := storeSize(t, store)
	after := startSinkAt(t, p, port)
	back := time.Now()
	second.await(t, "export recovered")
	recovered := time.Since(back)
	awaitDrained(t, second, store)
	drained := time.Since(back)
	total := load.stop()
	if status := second.stop(); status != "exit status 0" {
		t.Errorf("procspan run ends with %s on SIGTERM", status)
	}
	after.finish(t)

	early, late := before.arrivals(t), after.arrivals(t)
	found := byNumber(t, early, late)
	var missing []int
	for n := range int(total) {
		if _, ok := found[n]; !ok {
			missing = append(missing, n)
		}
	}
	t.Logf("%d processes in an outage of %v; %d spans of them arrived; "+
		"store %d bytes; procspan's RSS %d KiB at most; first delivery %v after the collector was ready, store empty after %v",
		total, time.Since(begin).Round(time.Second), len(found),
		size, memory, recovered.Round(time.Millisecond), drained.Round(time.Millisecond))
	if len(missing) > 0 {
		t.Errorf("%d processes are missing: %d", len(missing), missing)
	}
	// What was sent again counts again, and is the same span.
	ends := second.ending(t)
	if ends["restored"] == 0 || ends["dropped"] != 0 || ends["stored"] != 0 || ends["delivered"] < len(late) {
		t.Errorf("procspan says %v, want some restored, nothing dropped or stored, and %d delivered at least", ends, len(late))
	}
	if lost := ledgerNumber(t, second, "lost"); lost != 0 {
		t.Errorf("the ledger has %d lost", lost)
	}
	const enough = 100 << 10 // KiB; ten times a minute's spans would not fit
	if memory > enough {
		t.Errorf("procspan used up to %d KiB of memory, want %d at most", memory, enough)
	}
}

// TestOutageOnAFullDisk fills the disk while the collector is away: what is lost
// then is what procspan's own log counts, to the span.
func TestOutageOnAFullDisk(t *testing.T) {
	requireObservable(t)
	overBoth(t, testOutageOnAFullDisk)
}

func testOutageOnAFullDisk(t *testing.T, p protocol) {
	dir := t.TempDir()
	port := freePorts(t, 1)[0]
	config := procspanConfigOver(t, p, fmt.Sprintf("127.0.0.1:%d", port), "", fmt.Sprintf("delivery: {directory: %q}", filepath.Join(dir, "store")))
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	config = writeFile(t, "procspan.yaml", strings.Replace(string(text), "batch: {", "batch: {max_queue_size: 1000, ", 1))
	// A small disk that nobody else sees.
	daemon := startServer(t, "procspan", "unshare", "-m", "--propagation", "private", "sh", "-c",
		`mount -t tmpfs -o size=32m none "$1" && exec "$2" run --config "$3"`, "sh", dir, procspanBinary(t), config)
	daemon.await(t, "msg=observing")
	disk := fmt.Sprintf("/proc/%d/root%s", daemon.cmd.Process.Pid, dir)
	store := filepath.Join(disk, "store")

	load := startLoad(t, lifetimesPerSecond)
	daemon.await(t, "export failed, will retry")
	load.await(load.ended.Load() + 2*lifetimesPerSecond)
	filler := fillDisk(t, disk)
	daemon.await(t, "store failed")
	daemon.await(t, "reason=queue_full")
	load.await(load.ended.Load() + 2*lifetimesPerSecond)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	daemon.await(t, "store recovered")
	load.await(load.ended.Load() + 2*lifetimesPerSecond)
	after := startSinkAt(t, p, port)
	daemon.await(t, "export recovered")
	awaitDrained(t, daemon, store)
	total := load.stop()
	if status := daemon.stop(); status != "exit status 0" {
		t.Errorf("procspan run ends with %s on SIGTERM", status)
	}
	after.finish(t)

	arrived := after.arrivals(t)
	ends := daemon.ending(t)
	logged := 0
	for _, m := range regexp.MustCompile(`msg="spans dropped" reason=queue_full spans=(\d+)`).FindAllStringSubmatch(daemon.printed(), -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		logged += n
	}
	missing := int(total) - len(byNumber(t, arrived))
	t.Logf("%d processes, of which %d spans did not arrive; procspan says %v, and of that %d in its log; %d spans arrived in all",
		total, missing, ends, logged, len(arrived))
	if logged == 0 || ends["dropped"] != logged || ends["stored"] != 0 || len(arrived) != ends["made"]-logged || ends["delivered"] != len(arrived) {
		t.Errorf("%d spans arrived; procspan says %v, of which its log has %d dropped: that does not add up", len(arrived), ends, logged)
	}
	if lost := ledgerNumber(t, daemon, "lost"); lost != logged {
		t.Errorf("the ledger has %d lost, %d spans were dropped", lost, logged)
	}
	if missing == 0 || missing > logged {
		t.Errorf("%d processes have no span, and %d spans were dropped", missing, logged)
	}
	if text := daemon.printed(); strings.Contains(text, "msg=lost") {
		t.Errorf("events were lost before they were spans:\n%s", text)
	}
}

// await returns when the server has printed a text.
func (s *server) await(t *testing.T, text string) {
	t.Helper()
	err := s.awaitReady(t.Context(), func(context.Context) error {
		if !strings.Contains(s.printed(), text) {
			return fmt.Errorf("it has not printed %q", text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ending returns the numbers in procspan's final line about its spans.
func (s *server) ending(t *testing.T) map[string]int {
	t.Helper()
	line := regexp.MustCompile(`msg=spans (made=.*)`).FindStringSubmatch(s.printed())
	if line == nil {
		t.Fatalf("procspan does not say what became of its spans:\n%s", s.logTail())
	}
	numbers := map[string]int{}
	for _, field := range strings.Fields(line[1]) {
		name, value, _ := strings.Cut(field, "=")
		n, err := strconv.Atoi(value)
		if err != nil {
			t.Fatalf("procspan says %q", line[1])
		}
		numbers[name] = n
	}
	return numbers
}

// awaitDrained returns when procspan has sent what it had stored.
func awaitDrained(t *testing.T, daemon *server, store string) {
	t.Helper()
	err := daemon.awaitReady(t.Context(), func(context.Context) error {
		if storeSize(t, store) > 0 {
			entries, err := os.ReadDir(store)
			return fmt.Errorf("the store is not empty: %v (%v)", entries, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// watchMemory returns the most memory that the server has used when some time has
// passed: its resident set, in KiB.
func watchMemory(t *testing.T, s *server, while time.Duration) (most int) {
	t.Helper()
	over := time.After(while)
	every := time.NewTicker(pollInterval)
	defer every.Stop()
	for {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
		if err != nil {
			t.Fatalf("procspan has ended: %v", err)
		}
		if m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status); m != nil {
			n, _ := strconv.Atoi(string(m[1]))
			most = max(most, n)
		}
		select {
		case <-every.C:
		case <-over:
			return most
		}
	}
}

// fillDisk takes all the room on a file system, and returns the file that has it.
func fillDisk(t *testing.T, dir string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "filler")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for block := make([]byte, 4<<10); err == nil; {
		_, err = file.Write(block)
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("fill the disk: %v, want ENOSPC", err)
	}
	return path
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	_, text, _ := strings.Cut(address, ":")
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
