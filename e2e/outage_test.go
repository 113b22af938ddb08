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

// storeFile is what procspan calls the file in delivery.directory.
const storeFile = "store.db"

// unstored bounds for how long a span is in memory only while the collector is
// away: until the reader comes by, its batch is due (schedule_delay), and the
// disk has it. On a busy machine that is more than the second that it should be.
const unstored = 5 * time.Second

// TestOutage has processes live and die while the collector is away, kills
// procspan in the middle, and starts it again: what it had seen is not lost.
//
// What it cannot have seen, or had in memory only, is lost with it: the processes
// that ended shortly before it was killed and until its successor observed. They
// are one stretch, and nothing else is missing.
//
//	go test -run TestOutage -outage 3m
func TestOutage(t *testing.T) {
	requireObservable(t)
	before := startSink(t)
	port := portOf(t, before.otlp)
	store := filepath.Join(t.TempDir(), "store")
	config := procspanConfig(t, before.otlp, "", fmt.Sprintf("delivery: {directory: %q}", store))

	binary := procspanBinary(t)
	start := func() *server {
		s := startServer(t, "procspan", binary, "run", "--config", config)
		s.await(t, "msg=observing")
		return s
	}
	first := start()
	load := startLoad(t, lifetimesPerSecond)
	load.await(lifetimesPerSecond)
	if _, err := os.Stat(filepath.Join(store, storeFile)); err == nil {
		t.Error("there is a store while the collector takes everything")
	}
	before.finish(t)
	begin := time.Now()
	memory := watchMemory(t, first, *outage/2)
	beforeKill := load.ended.Load() - int64(unstored.Seconds()*lifetimesPerSecond)
	killed := time.Now()
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.exited

	second := start()
	observed := load.ended.Load() + 1 // the next may be running already
	memory = max(memory, watchMemory(t, second, *outage-time.Since(begin)))
	size := fileSize(t, filepath.Join(store, storeFile))
	after := startSinkAt(t, port)
	back := time.Now()
	second.await(t, "delivery works again")
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
	t.Logf("%d processes in an outage of %v; %d spans of them arrived, %d were lost with the kill; "+
		"store %d bytes; procspan's RSS %d KiB at most; first delivery %v after the collector was ready, store empty after %v",
		total, time.Since(begin).Round(time.Second), len(found), len(missing), size, memory, recovered.Round(time.Millisecond), drained.Round(time.Millisecond))
	for i, n := range missing {
		if int64(n) < beforeKill || int64(n) > observed || n != missing[0]+i {
			t.Errorf("process %d is missing; only those from %d to %d may be, in one stretch: %d", n, beforeKill, observed, missing)
			break
		}
	}
	// What the second says it found is what arrived of the first after the outage.
	restored := 0
	for _, a := range late {
		if a.end.Before(killed) {
			restored++
		}
	}
	ends := second.ending(t)
	if ends["restored"] != restored || ends["dropped"] != 0 || ends["stored"] != 0 {
		t.Errorf("procspan says %v, want restored=%d and nothing dropped or stored", ends, restored)
	}
	if ends["delivered"] != len(late) {
		t.Errorf("procspan says that it delivered %d spans, %d arrived", ends["delivered"], len(late))
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
	dir := t.TempDir()
	port := freePorts(t, 1)[0]
	config := procspanConfig(t, fmt.Sprintf("127.0.0.1:%d", port), "", fmt.Sprintf("delivery: {directory: %q}", filepath.Join(dir, "store")))
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
	daemon.await(t, "cannot be delivered")
	load.await(load.ended.Load() + 2*lifetimesPerSecond)
	filler := fillDisk(t, disk)
	daemon.await(t, "the store fails")
	daemon.await(t, "reason=queue_full")
	load.await(load.ended.Load() + 2*lifetimesPerSecond)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	daemon.await(t, "the store works again")
	load.await(load.ended.Load() + 2*lifetimesPerSecond)
	after := startSinkAt(t, port)
	daemon.await(t, "delivery works again")
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
			return fmt.Errorf("it does not say %q", text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ending returns the numbers in procspan's last word about its spans.
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
		_, err := os.Stat(filepath.Join(store, storeFile))
		if err == nil {
			return errors.New("it has not sent all that it stored")
		}
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return permanent(err)
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

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
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
