package process

import (
	"reflect"
	"slices"
	"testing"
)

// replaced returns what a snapshot of the table makes, in the table's place.
func replaced(t *testing.T, table *Table) *Table {
	t.Helper()
	snapshot := table.AppendSnapshot(nil)
	restored, lost, err := Restore(table.limits, table.policy, table.ids, snapshot)
	if err != nil || lost > 0 {
		t.Fatalf("restore %d bytes: %d objects lost, error %v", len(snapshot), lost, err)
	}
	if got, want := restored.Stats(), table.Stats(); got != want {
		t.Fatalf("restored stats are %+v, want %+v", got, want)
	}
	return restored
}

// Every field that a value needs is in its bytes. Those of a lifetime that settle
// gives it are not, nor what is found again from other objects.
func TestCodecOfEveryField(t *testing.T) {
	for _, tc := range []struct {
		name  string
		do    func(s *snapshot, v any)
		full  any
		empty any
		skip  []string
	}{
		{"living", func(s *snapshot, v any) { s.codec.living(v.(*Living)) }, &Living{}, &Living{}, nil},
		{"lifetime", func(s *snapshot, v any) { s.lifetime(v.(*Lifetime)) }, &Lifetime{}, &Lifetime{},
			[]string{"Context", "TraceState", "ParentSpan", "ParentRemote", "Link", "LinkRemote", "Boundary", "Parent", "Root", "weight", "estimate"}},
		{"placed lifetime", func(s *snapshot, v any) { s.lifetime(v.(*Lifetime)); s.placement(v.(*Lifetime)) }, &Lifetime{}, &Lifetime{},
			[]string{"weight", "estimate"}},
		{"entry", func(s *snapshot, v any) { s.entry(v.(*entry)) }, &entry{}, &entry{},
			[]string{"account", "bytes", "keeps", "older", "newer", "ahead", "behind", "lineage", "span"}},
		{"span", func(s *snapshot, v any) { s.span(v.(*span)) }, &span{}, &span{},
			[]string{"trace", "up", "groups", "deferred", "index", "spanID", "number", "until", "ruling"}},
		{"trace", func(s *snapshot, v any) { s.trace(v.(*trace)) }, &trace{}, &trace{},
			[]string{"more", "idle", "living", "number", "ruling"}},
		{"stats", func(s *snapshot, v any) { s.stats(v.(*Stats)) }, &Stats{}, &Stats{},
			[]string{"Living", "Deferred", "Seen", "Running"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := uint64(0)
			fill(t, reflect.ValueOf(tc.full).Elem(), tc.skip, &n)
			writer := newCodec(nil, false)
			table := NewTable(roomy, Policy{}, testIDs)
			tc.do(&snapshot{codec: writer, table: table}, tc.full)
			reader := newCodec(writer.b, true)
			tc.do(&snapshot{codec: reader, table: table}, tc.empty)
			if err := reader.end(); err != nil {
				t.Fatalf("%v: bad %t, %d bytes left", err, reader.bad, len(reader.b))
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
