package process

import (
	"fmt"
	"reflect"
	"testing"
)

// fixedRules make one ruling on all.
type fixedRules struct{ ruling Ruling }

func (fixedRules) Programs() []string         { return nil }
func (fixedRules) Program(*Image) uint64      { return 0 }
func (fixedRules) DropsTree(string) bool      { return false }
func (r fixedRules) Start(*Candidate) *Ruling { return &r.ruling }
func (r fixedRules) End(*Ruling, *Candidate, *Lifetime) *Ruling {
	return &r.ruling
}

// TestRulingsAreCharged: what the environment of a process makes its ruling take is
// charged to its user, and given up with the environment.
func TestRulingsAreCharged(t *testing.T) {
	big := Ruling{Bytes: 1000, Treatment: &Treatment{Args: "off", Set: []Setting{{"a", "b"}}, Resource: []Setting{{"service.name", "c"}}}}
	s := newStoryUnder(t, Limits{Processes: 1000, Bytes: 16_000}, Policy{Rules: fixedRules{big}})
	for i := range 100 {
		s.run("init", fmt.Sprint(i))
	}
	if s.table.bytes > 16_000 || s.table.Stats().Shed == 0 {
		t.Errorf("%d bytes are kept, %+v", s.table.bytes, s.table.Stats())
	}
	kept := 0
	for i := range 100 {
		s.exit(fmt.Sprint(i))
		switch l := s.got[len(s.got)-1]; {
		case l.Treatment == nil || l.Treatment.Args != "off":
			t.Fatalf("treatment %+v", l.Treatment)
		case len(l.Treatment.Set) > 0:
			kept++
		}
	}
	if kept == 0 || kept > 16 {
		t.Errorf("%d of 100 have their attributes, want a few: those with room", kept)
	}
	if len(big.Treatment.Set) != 1 {
		t.Error("a ruling was changed")
	}
}

// TestSnapshotOfRuling: the next agent has what was decided, and asks its own rules
// about the end.
func TestSnapshotOfRuling(t *testing.T) {
	late := fixedRules{Ruling{Action: Drop}}
	full := &Ruling{
		Action: Sample, Rule: "r", Index: 7, KeepFailed: true, Threshold: 1 << 55, TraceState: "ot=th:8", Trace: 9, Late: late, Open: 5, Bytes: 3,
		Treatment: &Treatment{Args: "off", DropAfter: 2, Attributes: "full", SpanName: "command", FixedName: "x", Set: []Setting{{"a", "b"}}, Resource: []Setting{{"c", "d"}}, Expected: []Status{256}},
		Matched:   [4]uint64{1},
	}
	for _, ruling := range []*Ruling{nil, {}, full} {
		writer := newCodec(nil, false)
		table := NewTable(roomy, Policy{Rules: late}, testIDs)
		(&snapshot{codec: writer, table: table}).ruling(&ruling)
		reader, got := newCodec(writer.b, true), (*Ruling)(nil)
		(&snapshot{codec: reader, table: table}).ruling(&got)
		want := ruling
		if want != nil {
			other := *want
			other.Index, other.Matched = -1, [4]uint64{}
			want = &other
		}
		if err := reader.end(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}
