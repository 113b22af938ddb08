// Package lifetimes makes jobs for tests.
package lifetimes

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/timeline"
)

// origin is when the jobs start, in nanoseconds since boot.
const origin = process.Time(1e12)

// Make returns the job that a make of n objects leaves: cc and cc1 for each, one
// of a hundred of which fails, then a link.
func Make(n int) *timeline.Model {
	r := rand.New(rand.NewPCG(9, 9))
	b := timeline.NewBuilder()
	pid := uint32(100)
	id := func(pid uint32) process.ID { return process.ID{PID: pid, Start: origin - 1} }
	add := func(parent uint32, start, end int64, code int, words ...string) uint32 {
		pid++
		text := ""
		for _, w := range words {
			text += w + "\x00"
		}
		work := time.Duration(end - start)
		if words[0] == "cc" || words[0] == "make" { // they wait for others
			work /= 100
		}
		l := &process.Lifetime{
			ID: id(pid), Start: origin + process.Time(start), End: origin + process.Time(end), ParentWaiting: process.Yes,
			Image:  process.Image{Filename: "/usr/bin/" + words[0], Executable: "/usr/bin/" + words[0], Args: text, WorkingDirectory: "/src/project"},
			Status: process.Status(code << 8),
			Usage: process.Usage{
				UserTime: work * 6 / 10, SystemTime: work / 10, PeakRSS: 1<<24 + uint64(r.IntN(1<<24)),
				RunDelayKnown: true, RunDelay: work / 10,
			},
		}
		if parent != 0 {
			l.Parent = id(parent)
		}
		b.Add(l, "")
		return pid
	}
	const root = 101
	pid = root
	free := make([]int64, 8)
	for i := range n {
		slot := 0
		for s := range free {
			if free[s] < free[slot] {
				slot = s
			}
		}
		start := free[slot] + 1e5
		end := start + 2e6 + r.Int64N(1e8)
		free[slot] = end
		file, code := fmt.Sprintf("dir%d/file%d.c", i%37, i), 0
		if i%100 == 57 {
			code = 1
		}
		cc := add(root, start, end, code, "cc", "-O2", "-Wall", "-Iinclude", "-DNDEBUG", "-c", "-o", file+".o", file)
		add(cc, start+2e5, end-2e5, code, "cc1", "-quiet", "-Iinclude", "-DNDEBUG", file, "-O2", "-Wall", "-o", "/tmp/cc.s")
	}
	last := slices.Max(free)
	add(root, last, last+9e8, 0, "ld", "-o", "program", "--start-group")
	pid = root - 1
	add(0, 0, last+1e9, 2, "make", "-k", "-j8")
	return b.Model(timeline.Job{
		Root: id(root), CPUs: 8, Version: "test", Host: "builder", ArgsPolicy: "redacted",
		Begin: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	})
}
