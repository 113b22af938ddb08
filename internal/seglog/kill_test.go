package seglog

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/procspan/procspan/internal/safedir"
	"github.com/procspan/procspan/test/noleak"
)

var kills = flag.Int("kills", 60, "how often TestKilled kills the writer")

// victimDirectory makes the test binary the process that is killed.
const victimDirectory = "PROCSPAN_TEST_SEGLOG"

func TestMain(m *testing.M) {
	if path := os.Getenv(victimDirectory); path != "" {
		if err := victim(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	noleak.Main(m)
}

// victim appends and drops records until it is killed, and prints the number of
// the last one of each Append.
func victim(path string) error {
	dir, err := safedir.Open(path)
	if err != nil {
		return err
	}
	l, err := Open(Options{Dir: dir, Log: "log", SegmentSize: 200_000})
	if err != nil {
		return err
	}
	for {
		n := int(l.Next())
		var records []Record
		for i := range 1 + n%4 {
			records = append(records, numbered(n+i))
		}
		if _, err := l.Append(records...); err != nil {
			return err
		}
		fmt.Println(l.Next() - 1)
		for more := n > 100; more; {
			if more, err = l.DropOldest(uint64(n-100), 3); err != nil {
				return err
			}
		}
	}
}

// numbered has a size that follows from its number, from 0 to 50 KB.
func numbered(n int) Record { return record(n, n*7919%50_000) }

// Killed at any moment, a log has everything that was appended, without a gap and
// without damage.
func TestKilled(t *testing.T) {
	path := t.TempDir()
	dir := testDir(t, path)
	random := rand.New(rand.NewPCG(1, 2))
	for range *kills {
		last := killVictim(t, path, 1+random.IntN(60))
		want := map[uint64]Record{}
		for n := max(1, last-200); n <= last+4; n++ { // one Append may be without its line
			want[uint64(n)] = numbered(n)
		}
		r := NewReader(dir, "log")
		got, damaged := readAll(t, r, want)
		r.Close()
		if len(got) == 0 || int(got[len(got)-1]) < last || damaged != 0 || int(got[0]) > max(1, last-99) {
			t.Fatalf("got %v, %d damaged; want up to %d", got, damaged, last)
		}
		wantNumbers(t, got, int(got[0]), int(got[len(got)-1]))
	}
}

// killVictim kills a victim after some lines, and returns the number on its last.
func killVictim(t *testing.T, path string, lines int) (last int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimDirectory+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }() // it was killed
	for in := bufio.NewReader(out); ; lines-- {
		line, err := in.ReadString('\n')
		if err != nil {
			return last // without the end of its line, it may not be whole
		}
		if last, err = parse(line); err != nil {
			t.Fatal(err)
		}
		if lines == 0 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func parse(line string) (n int, err error) {
	_, err = fmt.Sscan(strings.TrimSpace(line), &n)
	return n, err
}
