package report

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/test/tinydisk"
	"github.com/procspan/procspan/timeline"
)

// record records a make of n processes, whose make ends last, and returns its id.
func record(t *testing.T, r *Recorder, n int) process.ID {
	t.Helper()
	root := process.ID{PID: 1, Start: 1}
	l := process.Lifetime{Comm: "cc", Image: process.Image{Filename: "/usr/bin/cc", WorkingDirectory: "/src"}}
	for i := range n - 1 {
		at := process.Time(10 + 2*i)
		l.ID, l.Parent, l.Start, l.End = process.ID{PID: uint32(i + 2), Start: at}, root, at, at+5
		l.Image.Args = fmt.Sprintf("cc\x00-c\x00file%d.c\x00", i)
		r.Add(&l, "container")
	}
	r.Add(&process.Lifetime{ID: root, Start: 5, End: process.Time(20 + 2*n), Comm: "make"}, "container")
	return root
}

func newRecorder(t *testing.T) *Recorder {
	t.Helper()
	r, err := NewRecorder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// A job of 100,000 processes takes as much memory while it runs as one of 200.
func TestRecorderTakesNoMemory(t *testing.T) {
	r := newRecorder(t)
	used := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	record(t, r, 200)
	before := used()
	root := record(t, r, 100_000)
	if grown := used() - before; grown > 64<<10 {
		t.Errorf("the memory grew by %d bytes", grown)
	}
	m, err := r.Model(timeline.Job{Root: root})
	if err != nil || m.Len() < 100_000 {
		t.Errorf("the model has %d processes: %v", m.Len(), err)
	}
}

// Beyond the limit a report has the first processes, all of their parents, and says
// how many it lacks.
func TestRecorderLimit(t *testing.T) {
	if maxRecorded < 1_000_000 {
		t.Errorf("a report holds %d processes", maxRecorded)
	}
	r := newRecorder(t)
	r.limit = 500
	root := record(t, r, 1000)
	m, err := r.Model(timeline.Job{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	// Two began before the end of the 500th, and so did make.
	if m.Root == timeline.None || m.Name(m.Root) != "make" || m.Len() != 503 {
		t.Errorf("the model has %d processes, root %d", m.Len(), m.Root)
	}
	var page strings.Builder
	if err := HTML(&page, timeline.Analyse(m)); err != nil {
		t.Fatal(err)
	}
	if want := "497 processes are missing: begun after the first 500, the most that a report holds"; !strings.Contains(page.String(), want) {
		t.Errorf("the page does not say %q", want)
	}
}

// On a full disk the recording ends, and the report says what it lacks.
func TestRecorderDiskFull(t *testing.T) {
	t.Setenv("TMPDIR", tinydisk.New(t, 1<<20))
	r := newRecorder(t)
	root := record(t, r, 50_000)
	m, err := r.Model(timeline.Job{Root: root})
	if !errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), "EOF") {
		t.Errorf("the error is %v", err)
	}
	missing := m.Job.Missing["no room for the recording"]
	if m.Len() < 1000 || uint64(m.Len())+missing != 50_000 {
		t.Errorf("%d processes and %d missing, want 50,000 together", m.Len(), missing)
	}
}
