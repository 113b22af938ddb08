package scenario

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// howMany lives TestLives plays; fewer where the machine is emulated.
var howMany = flag.Int("lives", 20_000, "how many short `lives` to play")

// TestLives plays short lives. Their spans agree one by one with what
// their parents saw, and so do two witnesses that procspan has nothing to do
// with.
func TestLives(t *testing.T) {
	n := *howMany
	o := observe(t)
	witnesses := openWitnesses(t)
	truths := o.play(t, "lives", strconv.Itoa(n))

	workers, statuses := make(map[int]bool), make(map[int][]unix.WaitStatus)
	count := 0
	for _, p := range truths {
		number, ok := strings.CutPrefix(p.Label, "life ")
		if !ok {
			continue
		}
		i, _ := strconv.Atoi(number)
		if p.Status != unix.WaitStatus(i&0xff)<<8 {
			t.Errorf("%s has wait status %#x, want exit code %d", p.Label, p.Status, i&0xff)
		}
		count++
		workers[p.ParentPID] = true
		statuses[p.PID] = append(statuses[p.PID], p.Status)
	}
	if count != n || len(workers) != 2 {
		t.Fatalf("the scenario reported %d lives of %d workers, want %d of 2", count, len(workers), n)
	}
	o.compare(t, truths, []want{
		{label: "worker 0", name: filepath.Base(o.exe)},
		{label: "worker 1", name: filepath.Base(o.exe)},
		{label: "life *", name: "brief", under: "worker *"},
	})
	for name, w := range witnesses {
		t.Run(name, func(t *testing.T) { testify(t, w, workers, statuses, n) })
	}
}

// testify compares what a witness saw with what the workers know. A pid may
// have been had more than once; its statuses come in order.
func testify(t *testing.T, w Witness, workers map[int]bool, statuses map[int][]unix.WaitStatus, n int) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	deaths, err := DeathsOf(ctx, w, workers, n)
	if err != nil {
		t.Fatal(err)
	}
	if len(deaths) != n {
		t.Errorf("saw %d children of the workers die, want %d", len(deaths), n)
	}
	seen := make(map[int][]unix.WaitStatus)
	for _, d := range deaths {
		if !d.Execed {
			t.Errorf("saw pid %d die without an exec", d.PID)
		}
		seen[d.PID] = append(seen[d.PID], d.Status)
	}
	if got, want := fmt.Sprint(seen), fmt.Sprint(statuses); got != want {
		t.Errorf("saw other statuses than the workers: %.500s, want %.500s", got, want)
	}
	t.Logf("%d deaths, all as the workers know them", len(deaths))
}
