package jobs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// build is a serial make of three files. ./compile takes as many seconds as its
// file says, so that a command line is the same however long it takes.
func build(t *testing.T) string {
	t.Helper()
	return workplace(t, map[string]string{
		"Makefile": "all: a b c\na b c: ; ./compile $@.c\n",
	}, "compile")
}

// record runs the build with these seconds for each file, and returns the report.
// A run that took much longer than its files say is repeated.
func recordBuild(t *testing.T, dir string, seconds ...float64) (file string) {
	t.Helper()
	whole := time.Duration(0)
	for i, s := range seconds {
		name := filepath.Join(dir, string(rune('a'+i))+".c")
		if err := os.WriteFile(name, fmt.Append(nil, s), 0o644); err != nil {
			t.Fatal(err)
		}
		whole += time.Duration(s * float64(time.Second))
	}
	for range attempts {
		file = record(t, dir, "make")
		if view(t, file).Elapsed < whole+30*time.Millisecond {
			break
		}
	}
	return file
}

// diff compares two sides, and returns what procspan printed and its exit code.
func diff(t *testing.T, a, b []string, flags ...string) (text string, code int) {
	t.Helper()
	bin, err := procspan()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(bin, append([]string{"diff", strings.Join(a, ","), strings.Join(b, ",")}, flags...)...)
	out, err := c.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), c.ProcessState.ExitCode()
}

func TestDiff(t *testing.T) {
	needRoot(t)
	dir := build(t)
	one := recordBuild(t, dir, 0.1, 0.2, 0.15)
	two := recordBuild(t, dir, 0.1, 0.2, 0.15)
	slow := recordBuild(t, dir, 0.1, 0.4, 0.15)

	t.Run("two runs of the same build", func(t *testing.T) {
		text, code := diff(t, []string{one}, []string{two}, "--fail-over", "10%")
		if code != 0 || !strings.Contains(text, "no command differs") || !strings.Contains(text, "within the noise") {
			t.Errorf("exit code %d:\n%s", code, text)
		}
	})
	t.Run("one file twice as slow", func(t *testing.T) {
		text, code := diff(t, []string{one}, []string{slow}, "--fail-over", "10%")
		first := regexp.MustCompile(`by command line:\n  slower: \+\S+ \(2\S+ → [45]\S+\): make › compile b\.c\n`)
		if code != 3 || !first.MatchString(text) {
			t.Errorf("exit code %d, want 3, and b.c first among the command lines:\n%s", code, text)
		}
		if !regexp.MustCompile(`by command:\n  slower: \+\S+ \(4\S+ → [67]\S+\): compile\n`).MatchString(text) {
			t.Errorf("compile is not the first command:\n%s", text)
		}
	})
	t.Run("slower, but less than what may be", func(t *testing.T) {
		if text, code := diff(t, []string{one}, []string{slow}, "--fail-over", "200%"); code != 0 {
			t.Errorf("exit code %d:\n%s", code, text)
		}
	})
	t.Run("faster", func(t *testing.T) {
		text, code := diff(t, []string{slow}, []string{one}, "--fail-over", "10%")
		if code != 0 || !regexp.MustCompile(`by command line:\n  faster: −\S+ .*: make › compile b\.c\n`).MatchString(text) {
			t.Errorf("exit code %d:\n%s", code, text)
		}
	})
}

// With several runs on a side, what they differ in among themselves is noise.
func TestDiffOfSeveral(t *testing.T) {
	needRoot(t)
	dir := build(t)
	var a, b []string
	// b.c takes now this, now that, on both sides; c.c is slower on one.
	for _, s := range []float64{0.1, 0.3, 0.2} {
		a = append(a, recordBuild(t, dir, 0.05, s, 0.1))
	}
	for _, s := range []float64{0.3, 0.1, 0.3} {
		b = append(b, recordBuild(t, dir, 0.05, s, 0.3))
	}
	const slowerB = "compile b.c"
	if text, _ := diff(t, a[:1], b[:1]); !strings.Contains(text, slowerB) {
		t.Errorf("one run of each shows no difference of b.c:\n%s", text)
	}
	text, _ := diff(t, a, b)
	if strings.Contains(text, slowerB) {
		t.Errorf("three runs of each do not show that b.c is noise:\n%s", text)
	}
	if !strings.Contains(text, "compile c.c") {
		t.Errorf("three runs of each do not show that c.c is slower:\n%s", text)
	}
}
