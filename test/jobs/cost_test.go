package jobs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkReport measures by how much --report makes a real build under procspan
// exec longer. Runs with and without take turns. It reports the ratio of the
// fastest runs and the median of the ratios of neighbours, for a quiet machine; and
// for a busy one, how much more CPU time procspan itself took, by the medians, in
// percent of the fastest build: a report costs no more than that, since no process
// of the build waits for procspan.
func BenchmarkReport(b *testing.B) {
	needRoot(b)
	bin, err := procspan()
	if err != nil {
		b.Fatal(err)
	}
	for _, build := range []struct {
		name  string
		start func(b *testing.B) *exec.Cmd // from an empty directory or cache
	}{
		{"a C project of 200 files", cProject(b)},
		{"a Go build", func(b *testing.B) *exec.Cmd {
			c := exec.Command("go", "build", "-o", os.DevNull, "github.com/procspan/procspan/rules")
			c.Env = append(os.Environ(), "GOCACHE="+b.TempDir())
			return c
		}},
	} {
		b.Run(build.name, func(b *testing.B) {
			measure := func(flags ...string) (elapsed, own float64) {
				c := build.start(b)
				c.Args = slices.Concat([]string{bin, "exec"}, flags, []string{"--"}, c.Args)
				c.Path = bin
				begin := time.Now()
				if err := c.Start(); err != nil {
					b.Fatal(err)
				}
				own = ownCPU(b, c.Process.Pid)
				if err := c.Wait(); err != nil {
					b.Fatalf("%v: %v", c, err)
				}
				return time.Since(begin).Seconds(), own
			}
			var with, without, ownWith, ownWithout, ratios []float64
			report := filepath.Join(b.TempDir(), "job.html")
			for b.Loop() {
				t, own := measure()
				without, ownWithout = append(without, t), append(ownWithout, own)
				t, own = measure("--report", report)
				with, ownWith = append(with, t), append(ownWith, own)
				ratios = append(ratios, with[len(with)-1]/without[len(without)-1])
			}
			fastest := slices.Min(without)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(fastest, "s-without")
			b.ReportMetric(slices.Min(with)/fastest, "of-fastest")
			b.ReportMetric(median(ratios), "of-neighbour")
			b.ReportMetric(1000*median(ownWithout), "own-CPU-ms")
			b.ReportMetric(100*(median(ownWith)-median(ownWithout))/fastest, "%-more-CPU")
		})
	}
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// ownCPU waits for the end of a child, and returns its CPU time in seconds, without
// its children's.
func ownCPU(b *testing.B, pid int) float64 {
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		b.Fatal(err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest) // from the third on
	const tick = 0.01              // s
	user, errUser := strconv.Atoi(fields[11])
	system, errSystem := strconv.Atoi(fields[12])
	if err := errors.Join(errUser, errSystem); err != nil {
		b.Fatal(err)
	}
	return float64(user+system) * tick
}

// cProject writes 200 files of C, and returns what compiles them all.
func cProject(b *testing.B) func(*testing.B) *exec.Cmd {
	dir := b.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	var objects strings.Builder
	for i := range 200 {
		var text strings.Builder
		text.WriteString("#include <stdio.h>\n#include <string.h>\n")
		for k := range 12 {
			fmt.Fprintf(&text, "int f%d_%d(int x) { for (int i = 0; i < x; i++) x += i * %d; return x + (int)strlen(\"%d\"); }\n", i, k, k, i)
		}
		write(fmt.Sprintf("f%d.c", i), text.String())
		fmt.Fprintf(&objects, " f%d.o", i)
	}
	write("Makefile", "lib.a:"+objects.String()+"\n\tar rc $@ $^\n%.o: %.c\n\tgcc -O1 -c -o $@ $<\n")
	return func(b *testing.B) *exec.Cmd {
		c := exec.Command("make", "-B", "-j2", "--quiet")
		c.Dir = dir
		return c
	}
}
