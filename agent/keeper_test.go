package agent

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/procspan/procspan/agent/handover"
	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/test/tinydisk"
)

// host is an agent without a kernel, whose collector is away or takes everything.
type host struct {
	*replay
	o        Options
	log      *buffer
	exporter *otelexport.Exporter
	keep     *keeper
}

// startAgent returns an agent that has a state directory, and began with so many
// running processes.
func startAgent(t *testing.T, dir string, running int, collector bool) *host {
	t.Helper()
	h := &host{}
	h.o, h.log = unreachable()
	clock, err := otelexport.NewClock()
	if err != nil {
		t.Fatal(err)
	}
	if collector {
		h.exporter = newDiscardExporter(t, h.o, clock)
	} else if h.exporter, err = newExporter(h.o, clock); err != nil { // nothing listens there
		t.Fatal(err)
	}
	h.replay = newReplay(t, pipeline{living: running}, clock, h.exporter, h.o)
	h.keep = h.keepIn(dir, h.o, h.exporter)
	t.Cleanup(h.kill)
	return h
}

// kill ends the agent without a word.
func (h *host) kill() {
	if h.keep == nil {
		return
	}
	hurry, cancel := context.WithCancel(context.Background())
	cancel()
	h.o.Hurry = hurry
	if err := h.keep.close(); err != nil {
		h.t.Error(err)
	}
	h.keep = nil
	flush(h.o, h.exporter)
}

// live replays so many lifetimes, and all else that changes a state.
func (h *host) live(n int) {
	random := rand.New(rand.NewPCG(uint64(n), 1))
	for i := range n {
		h.lifetime(1 + i)
		switch random.IntN(40) {
		case 0:
			h.flow.advance(h.now)
		case 1:
			h.flow.takeIn([]process.Living{{ID: process.ID{PID: 1<<22 + uint32(i), Start: h.now}, Execed: true, Image: process.Image{Executable: "/adopted"}}})
		case 2:
			h.flow.endUnseen([]process.ID{{PID: 2 + uint32(random.IntN(h.living)), Start: 1}}, h.now)
		case 3:
			h.flow.nameCgroup(uint64(1000+i), "/later")
		}
	}
	h.flow.advance(h.now)
}

// laterItem is one of a later version.
var laterItem = handover.Item{Kind: 200, Body: []byte("later")}

// wantSame compares what two agents know.
func wantSame(t *testing.T, got, want *host) {
	t.Helper()
	a, b := got.flow.table.AppendSnapshot(nil), want.flow.table.AppendSnapshot(nil)
	if !bytes.Equal(a, b) {
		t.Errorf("the tables differ: %+v, want %+v", got.flow.table.Stats(), want.flow.table.Stats())
	}
	if a, b := got.flow.clock.AppendHistory(nil), want.flow.clock.AppendHistory(nil); !bytes.Equal(a, b) {
		t.Errorf("the clocks differ")
	}
	paths := func(h *host) []byte { return h.exporter.AppendPaths(nil) }
	if a, b := paths(got), paths(want); len(a) != len(b) {
		t.Errorf("the paths of cgroups have %d bytes, want %d", len(a), len(b))
	}
}

// The next agent knows what the one that was killed knew, and sends what that one had
// not sent, whatever the journal is made of.
func TestResume(t *testing.T) {
	for _, tc := range []struct {
		name           string
		running, lives int
		snapshots      int // written meanwhile
		collector      bool
	}{
		{"snapshot only", 50, 0, 0, false},
		{"journal", 50, 300, 0, false},
		{"snapshots and journals", 50, 300, 3, false},
		{"10,000 running", 10_000, 3000, 1, false},
		{"all delivered", 50, 300, 1, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			first := startAgent(t, dir, tc.running, tc.collector)
			first.keep.snapshot(false)
			for range tc.snapshots {
				first.live(tc.lives)
				first.keep.snapshot(false)
			}
			first.live(tc.lives)
			if tc.collector {
				settle(t, first.exporter, 0)
				first.live(1) // so that this is written
			}
			before, _ := first.exporter.Stats()
			position := first.ring.Position()
			first.kill()

			second := startAgent(t, dir, 0, tc.collector)
			if !second.keep.restore() {
				t.Fatalf("nothing is restored; it logged:\n%s", second.log)
			}
			wantSame(t, second, first)
			if got := second.ring.sought; len(got) != 1 || got[0] != position {
				t.Errorf("the ring goes on at %v, want %d", got, position)
			}
			after, _ := second.exporter.Stats()
			if tc.collector { // but for what ended after the last word of what was delivered
				if after.Restored > 3 {
					t.Errorf("%d of %d delivered spans are sent again", after.Restored, before.Delivered)
				}
			} else if after.Restored != before.Waiting || after.Accepted != 0 {
				t.Errorf("%d spans are restored and %d made, want the %d that waited", after.Restored, after.Accepted, before.Waiting)
			}
			if n := second.flow.losses.unrestored; n != (unrestored{}) {
				t.Errorf("not restored: %+v", n)
			}
			if text := first.log.String(); strings.Contains(text, "panic") {
				t.Errorf("it logged:\n%s", text)
			}
			if text := second.log.String(); strings.Contains(text, "level=ERROR") || strings.Contains(text, "are lost") {
				t.Errorf("it logged:\n%s", text)
			}
		})
	}
}

// What happens while a snapshot is written goes to the journal, and to the table
// afterwards; the kernel has room all the time.
func TestEventsDuringSnapshot(t *testing.T) {
	dir := t.TempDir()
	first := startAgent(t, dir, 5000, false)
	first.flow.ringSize = 64 << 10
	first.keep.snapshot(false)
	first.live(500)
	size := 1
	fill := func() { // twice what the keeper leaves in the ring
		for len(first.ring.unread) < int(first.flow.ringSize)/4 {
			first.unread(size)
			size++
		}
	}
	first.ring.onLook = fill
	first.keep.snapshot(false)
	first.ring.onLook = nil
	if len(first.ring.unread) >= int(first.flow.ringSize)/2 {
		t.Errorf("%d bytes of the ring are unread", len(first.ring.unread))
	}
	first.keep.write()
	seen := first.flow.seen
	if seen[process.Exit] < 600 {
		t.Fatalf("only %d exits were applied: nothing happened meanwhile", seen[process.Exit])
	}
	first.kill()
	second := startAgent(t, dir, 0, false)
	if !second.keep.restore() {
		t.Fatalf("nothing is restored; it logged:\n%s", second.log)
	}
	wantSame(t, second, first)
}

// A state that is damaged anywhere is restored but for what was hit, which is
// counted.
func TestResumeDamaged(t *testing.T) {
	dir := t.TempDir()
	first := startAgent(t, dir, 2000, false)
	first.keep.snapshot(false)
	first.live(200)
	waiting, _ := first.exporter.Stats()
	first.kill()
	files, err := filepath.Glob(filepath.Join(dir, "handover-*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the state is %v, %v; want one file", files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	restoredNone := 0
	const steps = 40
	for n := range steps {
		damaged := bytes.Clone(whole)
		damaged[n*len(whole)/steps] ^= 0x10
		if err := os.WriteFile(files[0], damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		second := startAgent(t, dir, 0, false)
		ok := second.keep.restore()
		stats, _ := second.exporter.Stats()
		lost := second.flow.losses.unrestored
		if lost == (unrestored{}) {
			t.Errorf("byte %d: nothing is counted; it logged:\n%s", n*len(whole)/steps, second.log)
		}
		if !ok {
			restoredNone++
		} else if got := second.flow.table.Stats().Living; got == 0 {
			t.Errorf("byte %d: no process is restored", n*len(whole)/steps)
		}
		if stats.Restored > waiting.Waiting {
			t.Errorf("byte %d: %d spans are restored of %d", n*len(whole)/steps, stats.Restored, waiting.Waiting)
		}
		second.kill()
	}
	if restoredNone > 1+steps*(64<<10)/len(whole) { // the table's first piece
		t.Errorf("%d of %d damages cost all processes", restoredNone, steps)
	}
}

// After a restart of the machine, the processes are gone; what waited for the
// collector is delivered.
func TestResumeAfterReboot(t *testing.T) {
	dir := t.TempDir()
	first := startAgent(t, dir, 20, false)
	first.live(100)
	first.keep.snapshot(false)
	before, _ := first.exporter.Stats()
	first.kill()
	second := startAgent(t, dir, 0, false)
	if err := second.keep.close(); err != nil {
		t.Fatal(err)
	}
	var err error
	if second.keep.journal, err = handover.Open(dir, "another boot"); err != nil {
		t.Fatal(err)
	}
	if second.keep.restore() || second.flow.table.Stats().Living != 0 || len(second.ring.sought) != 0 {
		t.Error("the processes of another boot are restored")
	}
	if stats, _ := second.exporter.Stats(); stats.Restored != before.Waiting {
		t.Errorf("%d spans are restored, want %d", stats.Restored, before.Waiting)
	}
}

// Where the ring is not at the position any more, or not the same one, what is missing
// is said, and the rest is restored.
func TestResumeElsewhere(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(h *host)
	}{
		{"seek refused", func(h *host) { h.ring.stays = true }},
		{"other session", func(h *host) { h.keep.session = bpf.Session{2} }},
		{"replaced", func(h *host) { h.keep.origin = bpf.Replaced }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			first := startAgent(t, dir, 20, false)
			first.keep.snapshot(false)
			first.live(100)
			first.kill()
			second := startAgent(t, dir, 0, false)
			tc.change(second)
			if !second.keep.restore() {
				t.Fatal("nothing is restored")
			}
			wantSame(t, second, first)
			if !strings.Contains(second.log.String(), "events between the previous agent and this one are lost") {
				t.Errorf("it logged:\n%s", second.log)
			}
		})
	}
}

// An agent of another version restores what it understands, and counts the rest.
func TestResumeOfAnotherVersion(t *testing.T) {
	dir := t.TempDir()
	first := startAgent(t, dir, 20, false)
	first.keep.format++
	first.keep.snapshot(false)
	want := first.flow.table.Stats().Living
	if err := first.keep.journal.Piece(laterItem); err != nil {
		t.Fatal(err)
	}
	if err := first.keep.journal.Commit(); err != nil {
		t.Fatal(err)
	}
	first.live(100)
	first.kill()
	second := startAgent(t, dir, 0, false)
	if !second.keep.restore() {
		t.Fatal("nothing is restored")
	}
	// What was adopted since, and what is known to be gone, needs no records.
	if got := second.flow.table.Stats().Living; got < want/2 || got > want+100 {
		t.Errorf("%d processes are restored, want about %d", got, want)
	}
	lost := second.flow.losses.unrestored
	if lost.items != 1 || lost.records != 3*100 {
		t.Errorf("not restored: %+v; want one item and 300 records", lost)
	}
}

// Other options may make other spans of the same events: then too many are sent, and
// none is missing.
func TestResumeWithOtherOptions(t *testing.T) {
	dir := t.TempDir()
	first := startAgent(t, dir, 20, true)
	first.keep.snapshot(false)
	first.live(100)
	settle(t, first.exporter, 0)
	first.live(1)
	made, _ := first.exporter.Stats()
	first.kill()
	second := startAgent(t, dir, 0, false)
	second.keep.config++
	if !second.keep.restore() {
		t.Fatal("nothing is restored")
	}
	if stats, _ := second.exporter.Stats(); stats.Restored != made.Accepted {
		t.Errorf("%d spans are sent again, want all %d", stats.Restored, made.Accepted)
	}
}

// While the disk is full nothing is kept and the kernel has its room; as soon as there
// is room, the state is kept again, though nothing happens any more.
func TestKeeperOnFullDisk(t *testing.T) {
	disk := tinydisk.New(t, 8<<20)
	dir := filepath.Join(disk, "state")
	first := startAgent(t, dir, 20, false)
	first.keep.snapshot(false)
	first.live(10)
	filler := tinydisk.Fill(t, disk)
	for first.keep.kept {
		first.live(10)
	}
	if text := first.log.String(); !strings.Contains(text, "cannot save the state") || !strings.Contains(text, "no space left on device") {
		t.Errorf("it logged:\n%s", text)
	}
	first.flow.ringSize = 8 << 10
	first.live(100)
	if held := first.ring.Held(); held >= first.flow.ringSize/4 {
		t.Errorf("%d bytes of the ring are held", held)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	first.keep.look(time.Now())
	if first.keep.kept {
		t.Error("it is tried again at once")
	}
	first.keep.look(time.Now().Add(retryAfter))
	if !first.keep.kept {
		t.Fatalf("nothing is kept although there is room; it logged:\n%s", first.log)
	}
	first.kill()
	second := startAgent(t, dir, 0, false)
	if !second.keep.restore() {
		t.Fatal("nothing is restored")
	}
	wantSame(t, second, first)
}
