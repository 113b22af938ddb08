package scenario

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// uses lists the scenarios of what processes use.
func uses() []told {
	return []told{
		{scenario: "modest", want: []want{
			{label: "parent", name: "modest", waits: []string{"greedy"}, reads: 3000, writes: 5000},
			{label: "greedy", name: "greedy", under: "parent", reads: 32 << 20, writes: 4 << 20},
		}, check: apart},
		{scenario: "modest threads", want: []want{
			{label: "child", name: "threads", reads: 15 * 1000, writes: 15 * 3000},
		}, check: func(t *testing.T, spans map[string]Span) { saved(t, spans, "child", 15*3000) }},
	}
}

// apart checks that a process used little, and the child that it waited for much.
func apart(t *testing.T, spans map[string]Span) {
	for _, test := range []struct {
		label, key  string
		least, most float64
	}{
		{"parent", "procspan.memory.peak_rss", 0, 2 << 20}, // not that of the test
		{"greedy", "procspan.memory.peak_rss", 32 << 20, 40 << 20},
		{"parent", "procspan.paging.faults.minor", 1, 4000},
		{"greedy", "procspan.paging.faults.minor", 8192, 12000},
		{"parent", "procspan.context_switches.voluntary", 10, 100},
		{"parent", "procspan.cpu.time.user", 0, 0.035},
		{"greedy", "procspan.cpu.time.user", 0.005, 10},
		{"greedy", "procspan.cpu.time.system", 0.001, 10},
	} {
		if *emulated && strings.HasPrefix(test.key, "procspan.cpu.") {
			continue
		}
		if got := spans[test.label].number(test.key); got < test.least || got > test.most {
			t.Errorf("%s: %s is %g, want %g to %g", test.label, test.key, got, test.least, test.most)
		}
	}
	saved(t, spans, "parent", 5000)
	saved(t, spans, "greedy", 4<<20)
	if disk(t) && spans["greedy"].number("procspan.paging.faults.major") == 0 {
		t.Error("greedy has no procspan.paging.faults.major")
	}
}

// saved checks that a process wrote so many bytes to the disk, where there is
// one: whole pages, and some for the file system itself.
func saved(t *testing.T, spans map[string]Span, label string, n int) {
	t.Helper()
	most := float64(n + 256<<10)
	if !disk(t) {
		n, most = 0, 0
	}
	if got := spans[label].number("procspan.disk.io.write"); got < float64(n) || got > most {
		t.Errorf("%s: procspan.disk.io.write is %g, want %d to %g", label, got, n, most)
	}
}

// disk reports whether scenarios play on a block device. File systems without one
// have numbers that begin with 0.
func disk(t *testing.T) bool {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(os.TempDir(), &st); err != nil {
		t.Fatal(err)
	}
	return unix.Major(uint64(st.Dev)) != 0
}
