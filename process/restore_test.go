package process

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/snapshots")

// frameOf is a frame of a snapshot.
type frameOf struct {
	section section
	fields  []byte
}

func split(b []byte) (frames []frameOf) {
	for s := (&snapshot{codec: newCodec(b, true)}); len(s.b) > 0; {
		what, fields := s.next()
		frames = append(frames, frameOf{what, fields})
	}
	return frames
}

func join(frames []frameOf) []byte {
	s := &snapshot{codec: newCodec(nil, false), stopped: true}
	for _, f := range frames {
		number(s.codec, &f.section)
		s.frame(func() { s.bytes(f.fields) })
	}
	return s.b
}

// busy is a table with all that a snapshot can have: joined traces, some of them
// idle, groups, traces that continue others, and processes that wait for others.
func busy(t *testing.T) (*Table, Policy) {
	t.Helper()
	policy := Policy{
		Session: true, Job: true, MaxSpans: 2, MinDuration: 100, KeepShortErrors: true,
		Extract: testExtract,
	}
	s := newStoryUnder(t, roomy, policy)
	s.runWith("init", "joined", "r-s-1")
	s.runWith("init", "gone", "q-s-1")
	s.wait(100)
	s.exit("gone")
	s.shell("init", "sh")
	s.command("sh", "a")
	s.command("sh", "a", "b")
	s.command("sh", "a", "c")
	s.fork("c", "forked")
	s.run("c", "d")
	s.execFile("d", "/bin/again")
	s.run("d", "e")
	s.fail("e")
	s.waits(1)
	return s.table, policy
}

// Whatever is missing or damaged in a snapshot, the table goes on with the rest,
// and its parts fit together.
func TestRestoreInPieces(t *testing.T) {
	table, policy := busy(t)
	whole := table.AppendSnapshot(nil)
	restore := func(t *testing.T, b []byte) (*Table, int) {
		t.Helper()
		restored, lost, err := Restore(roomy, policy, testIDs, b)
		if err != nil {
			t.Fatal(err)
		}
		restored.Advance(table.now)
		check(t, restored)
		return restored, lost
	}
	frames := split(whole)
	if again := join(frames); !bytes.Equal(again, whole) {
		t.Fatalf("split and joined the snapshot has %d bytes, want the same %d", len(again), len(whole))
	}
	most := map[section]int{}
	for i, f := range frames[1:] {
		i := i + 1
		t.Run(fmt.Sprintf("without frame %d", i), func(t *testing.T) {
			_, lost := restore(t, join(slices.Delete(slices.Clone(frames), i, i+1)))
			counted := f.section >= sectionTrace
			if (lost > 0) != counted {
				t.Errorf("without a frame of section %d %d objects are lost", f.section, lost)
			}
			most[f.section] = max(most[f.section], lost)
		})
		t.Run(fmt.Sprintf("frame %d damaged", i), func(t *testing.T) {
			damaged := slices.Clone(frames)
			damaged[i].fields = bytes.Repeat([]byte{0xff}, len(f.fields))
			restored, lost := restore(t, join(damaged))
			if lost == 0 {
				t.Errorf("with a damaged frame of section %d none is lost", f.section)
			}
			if f.section == sectionEntry && (lost > 1+table.deferred || len(restored.living) != len(table.living)-1) {
				t.Errorf("with a damaged process %d objects are lost, %d of %d processes are there", lost, len(restored.living), len(table.living))
			}
		})
	}
	for what := sectionTrace; what <= sectionDeferred; what++ {
		if most[what] == 0 {
			t.Errorf("the snapshot has no frame of section %d", what)
		}
	}
	for n := range whole {
		restored, lost, err := Restore(roomy, policy, testIDs, whole[:n])
		if err != nil {
			if n > 100 || !errors.Is(err, ErrSnapshot) {
				t.Errorf("%d bytes: %v", n, err)
			}
			continue
		}
		restored.Advance(table.now)
		check(t, restored)
		if head := frames[:1]; n > len(join(head)) && lost == 0 {
			t.Errorf("of %d bytes %d tell all", len(whole), n)
		}
	}
	if _, lost := restore(t, append(bytes.Clone(whole), 0)); lost != 1 {
		t.Errorf("one byte too many: %d objects are lost, want 1", lost)
	}
}

// A later version adds fields at the end of frames, and sections; an earlier one
// has fewer fields.
func TestRestoreOtherVersions(t *testing.T) {
	table, policy := busy(t)
	whole := table.AppendSnapshot(nil)
	later := split(whole)
	for i := range later {
		later[i].fields = append(bytes.Clone(later[i].fields), "a field"...)
	}
	restored, lost, err := Restore(roomy, policy, testIDs, join(later))
	if err != nil || lost > 0 {
		t.Fatalf("with more fields: %d objects lost, error %v", lost, err)
	}
	if got := restored.AppendSnapshot(nil); !bytes.Equal(got, whole) {
		t.Errorf("with more fields the table is another")
	}
	later = append(later, frameOf{sectionDeferred + 1, []byte("a section")}, frameOf{1 << 7, nil})
	if restored, lost, err = Restore(roomy, policy, testIDs, join(later)); err != nil || lost != 2 {
		t.Fatalf("with two more sections: %d objects lost, error %v", lost, err)
	}
	if got := restored.AppendSnapshot(nil); !bytes.Equal(got, whole) {
		t.Errorf("with more sections the table is another")
	}

	earlier := split(whole)
	last := newCodec(nil, false)
	last.usage(&Usage{}) // before, of entries
	for i, f := range earlier {
		if f.section == sectionEntry {
			earlier[i].fields = bytes.TrimSuffix(f.fields, last.b)
		}
	}
	if restored, lost, err = Restore(roomy, policy, testIDs, join(earlier)); err != nil || lost > 0 {
		t.Fatalf("with fewer fields: %d objects lost, error %v", lost, err)
	}
	if got := restored.AppendSnapshot(nil); !bytes.Equal(got, whole) {
		t.Errorf("with fewer fields the table is another")
	}

	for name, b := range map[string][]byte{
		"nothing":        nil,
		"no head":        join(split(whole)[1:]),
		"another format": join(append([]frameOf{{sectionHead, []byte{snapshotFormat + 1}}}, split(whole)[1:]...)),
		"no snapshot":    []byte("no snapshot"),
	} {
		if _, _, err := Restore(roomy, policy, testIDs, b); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%s: got %v, want ErrSnapshot", name, err)
		}
	}
}

// The snapshots of earlier versions can be read. A change of the format adds one
// with -update.
func TestRestoreEarlierSnapshots(t *testing.T) {
	table, policy := busy(t)
	if *update {
		name := filepath.Join("testdata", "snapshots", fmt.Sprintf("%d-%d", snapshotFormat, len(table.AppendSnapshot(nil))))
		if err := os.WriteFile(name, table.AppendSnapshot(nil), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join("testdata", "snapshots", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no snapshots (error %v)", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			restored, lost, err := Restore(roomy, policy, testIDs, b)
			if err != nil || lost > 0 {
				t.Fatalf("%d objects lost, error %v", lost, err)
			}
			got, want := restored.Stats(), table.Stats()
			want.Continued = got.Continued // not all of them have it
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			check(t, restored)
		})
	}
}

// A snapshot is handed over in pieces that take little time each.
func TestSnapshotInChunks(t *testing.T) {
	table := crowded(10_000)
	whole := table.AppendSnapshot(nil)
	var all []byte
	chunks := 0
	for chunk := range table.Snapshot() {
		if len(chunk) > 2*maxChunkBytes {
			t.Errorf("a chunk of %d bytes", len(chunk))
		}
		all = append(all, chunk...)
		chunks++
	}
	if !bytes.Equal(all, whole) {
		t.Errorf("the chunks have %d bytes together, want %d", len(all), len(whole))
	}
	// Each process and each span is met when it is numbered and when it is written.
	if least := 4 * 10_000 / maxChunkObjects; chunks < least {
		t.Errorf("%d chunks, want at least %d", chunks, least)
	}
	for stop := range chunks {
		n := 0
		for range table.Snapshot() {
			if n++; n > stop {
				break
			}
		}
	}
}

// An agent with lower limits restores everything. The next event evicts what has no
// room, and hands out what was deferred.
func TestRestoreUnderLowerLimits(t *testing.T) {
	policy := Policy{MinDuration: 1000, KeepShortErrors: true}
	s := newStoryUnder(t, roomy, policy)
	s.run("init", "a")
	s.run("a", "b")
	s.fail("b") // it waits to know whether a is too short
	s.waits(1)
	table, lost, err := Restore(Limits{Processes: 1, Bytes: 1}, policy, testIDs, s.table.AppendSnapshot(nil))
	if err != nil || lost > 0 {
		t.Fatalf("%d objects lost, error %v", lost, err)
	}
	s.table = table
	s.unchecked = true
	s.run("init", "c")
	if got := s.lines(); len(got) != 1 || !strings.HasPrefix(got[0], "b ") {
		t.Errorf("got %q, want b", got)
	}
	checkCounts(t, s.table)
}

// Any bytes are no snapshot, or a table whose parts fit together, and whose own
// snapshot makes the same table.
func FuzzRestore(f *testing.F) {
	h := randomHistory(16|1, 3)
	table := NewTable(h.limits, h.policy, testIDs)
	table.Adopt(h.living)
	for i := range h.ring {
		table.Apply(&h.ring[i])
		if i%40 == 0 {
			f.Add(table.AppendSnapshot(nil))
		}
	}
	limits := Limits{Processes: 1 << 30, Bytes: 1 << 40}
	f.Fuzz(func(t *testing.T, in []byte) {
		first, _, err := Restore(limits, Policy{}, testIDs, in)
		if err != nil {
			return
		}
		snapshot := first.AppendSnapshot(nil)
		second, lost, err := Restore(limits, Policy{}, testIDs, snapshot)
		if err != nil || lost > 0 {
			t.Fatalf("of its own snapshot %d objects are lost, error %v", lost, err)
		}
		if again := second.AppendSnapshot(nil); !bytes.Equal(again, snapshot) {
			t.Fatalf("got %d bytes, want the same %d", len(again), len(snapshot))
		}
		for _, table := range []*Table{first, second} {
			table.Advance(0)
			check(t, table)
		}
		if got, want := second.Stats(), first.Stats(); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		for pid := range uint32(8) { // whatever hangs on whom
			for kind := Fork; kind <= Exit; kind++ {
				first.Apply(&Event{Kind: kind, At: first.now, ID: ID{PID: pid, Start: 1 << 40}, Parent: ID{PID: pid + 1, Start: 1 << 40}, Execed: true})
			}
			check(t, first)
		}
		first.Close()
	})
}
