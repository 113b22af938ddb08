package enrich

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// FuzzStartTicksOfName: the start time is right whatever the name holds.
func FuzzStartTicksOfName(f *testing.F) {
	f.Add("prog", uint64(4711))
	f.Add(") S 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 (", uint64(0))
	path := filepath.Join(f.TempDir(), "stat")
	f.Fuzz(func(t *testing.T, comm string, start uint64) {
		if len(comm) > 128 {
			return // the kernel writes 64 bytes, each two at most where it escapes them (proc_task_name)
		}
		if err := os.WriteFile(path, []byte(statLine(comm, start)), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := startTicks(path); err != nil || got != start {
			t.Errorf("got %d, %v of %q, want %d", got, err, comm, start)
		}
	})
}

// FuzzStartTicks: of anything, the answer is the 20th word after the last
// parenthesis or an error.
func FuzzStartTicks(f *testing.F) {
	f.Add([]byte(statLine("prog", 4711)))
	f.Add([]byte("7 (prog) S 1"))
	f.Add([]byte("))))"))
	f.Add([]byte("7 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 +1"))
	path := filepath.Join(f.TempDir(), "stat")
	f.Fuzz(func(t *testing.T, stat []byte) {
		if len(stat) > statReadMax {
			return // no more is read
		}
		if err := os.WriteFile(path, stat, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := startTicks(path)
		if err != nil {
			if got != 0 {
				t.Errorf("got %d and the error %v", got, err)
			}
			return
		}
		parts := strings.Split(string(stat), ")")
		words := strings.Fields(parts[len(parts)-1])
		if len(parts) < 2 || len(words) < 20 || strings.TrimLeft(words[19], "0") != strings.TrimLeft(strconv.FormatUint(got, 10), "0") {
			t.Errorf("got %d of %q", got, stat)
		}
	})
}
