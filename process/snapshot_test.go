package process

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// replaced returns what a snapshot of the table makes, in the table's place.
func replaced(t *testing.T, table *Table) *Table {
	t.Helper()
	snapshot := table.AppendSnapshot(nil)
	restored, err := Restore(table.limits, table.policy, table.ids, snapshot)
	if err != nil {
		t.Fatalf("restore %d bytes: %v", len(snapshot), err)
	}
	if got, want := restored.Stats(), table.Stats(); got != want {
		t.Fatalf("restored stats are %+v, want %+v", got, want)
	}
	return restored
}

// Every field that a lifetime has while it waits is in a snapshot: those that
// settle gives it are not.
func TestSnapshotOfEveryField(t *testing.T) {
	for _, tc := range []struct {
		name  string
		do    func(c *codec, v any)
		full  any
		empty any
		skip  []string
	}{
		{"lifetime", func(c *codec, v any) { c.lifetime(v.(*Lifetime)) }, &Lifetime{}, &Lifetime{},
			[]string{"Context", "TraceState", "ParentSpan", "ParentRemote", "Link", "LinkRemote", "Boundary", "Parent", "Root"}},
		{"entry", func(c *codec, v any) { c.entry(v.(*entry)) }, &entry{}, &entry{},
			[]string{"bytes", "older", "newer", "lineage", "span"}},
		{"span", func(c *codec, v any) { c.span(v.(*span)) }, &span{}, &span{},
			[]string{"trace", "up", "groups", "waiting", "index", "spanID", "number"}},
		{"trace", func(c *codec, v any) { c.trace(v.(*trace)) }, &trace{}, &trace{},
			[]string{"more", "idle", "number"}},
		{"stats", func(c *codec, v any) { c.counts(v.(*Stats)) }, &Stats{}, &Stats{},
			[]string{"Living", "Waiting"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := uint64(0)
			fill(t, reflect.ValueOf(tc.full).Elem(), tc.skip, &n)
			writer := newCodec(nil, false)
			writer.traces.add(&trace{})
			if s, ok := tc.full.(*span); ok {
				s.trace = writer.traces.all[0]
			}
			tc.do(writer, tc.full)
			reader := newCodec(writer.b, true)
			reader.traces.all = writer.traces.all
			if tc.do(reader, tc.empty); reader.bad || len(reader.b) > 0 {
				t.Fatalf("it is not read: bad %t, %d bytes left", reader.bad, len(reader.b))
			}
			if !reflect.DeepEqual(tc.full, tc.empty) {
				t.Errorf("written\n\t%+v\nread\n\t%+v", tc.full, tc.empty)
			}
		})
	}
}

// fill sets all that v has to values that differ from each other.
func fill(t *testing.T, v reflect.Value, skip []string, n *uint64) {
	t.Helper()
	v = reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Elem() // unexported fields too
	*n++
	switch v.Kind() {
	case reflect.Struct:
		skipped := 0
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; slices.Contains(skip, name) {
				skipped++
				continue
			}
			fill(t, v.Field(i), nil, n)
		}
		if skipped != len(skip) {
			t.Fatalf("%v has not all of the fields %v", v.Type(), skip)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), nil, n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(t, v.Index(i), nil, n)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i), nil, n)
		}
	case reflect.String:
		v.SetString(string(rune('a' + *n%26)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(*n % 256)
	default:
		t.Fatalf("%v: there is no way to fill it", v.Type())
	}
}

func TestRestoreNothing(t *testing.T) {
	s := newStory(t, roomy)
	s.run("init", "a")
	whole := s.table.AppendSnapshot(nil)
	for n := range whole {
		if _, err := Restore(roomy, Policy{}, testIDs, whole[:n]); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%d of %d bytes: got %v, want ErrSnapshot", n, len(whole), err)
		}
	}
	if _, err := Restore(roomy, Policy{}, testIDs, append(bytes.Clone(whole), 0)); !errors.Is(err, ErrSnapshot) {
		t.Errorf("one byte too many: got %v, want ErrSnapshot", err)
	}
	older := append([]byte{snapshotVersion + 1}, whole[1:]...)
	if _, err := Restore(roomy, Policy{}, testIDs, older); !errors.Is(err, ErrSnapshot) {
		t.Errorf("another version: got %v, want ErrSnapshot", err)
	}
}

// An agent with lower limits takes over all there is; what it has no room for is
// forgotten later, and what waited for that is handed out.
func TestRestoreUnderLowerLimits(t *testing.T) {
	policy := Policy{MinDuration: 1000, KeepShortErrors: true}
	s := newStoryUnder(t, roomy, policy)
	s.run("init", "a")
	s.run("a", "b")
	s.fail("b") // it waits to know whether a is too short
	s.waits(1)
	table, err := Restore(Limits{Processes: 1, Bytes: 1}, policy, testIDs, s.table.AppendSnapshot(nil))
	if err != nil {
		t.Fatal(err)
	}
	s.table = table
	s.unchecked = true
	s.run("init", "c")
	if got := s.lines(); len(got) != 1 || !strings.HasPrefix(got[0], "b ") {
		t.Errorf("got %q, want b", got)
	}
	checkCounts(t, s.table)
}

// Any bytes are a table that has what they say, or an error.
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
	f.Fuzz(func(t *testing.T, in []byte) {
		table, err := Restore(roomy, Policy{}, testIDs, in)
		if err != nil {
			return
		}
		if again := table.AppendSnapshot(nil); len(again) == 0 {
			t.Error("its snapshot is empty")
		}
	})
}
