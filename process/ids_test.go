package process

import (
	"encoding/hex"
	"math/bits"
	"testing"
)

const testBootID = "0b5a4a9e-0f6c-4a8e-9d5c-5d0e1f7a2b3c"

// The values, computed independently (Python's hashlib), are a promise: a new version of the agent must not change the ids
// of processes that an older one has already reported.
func TestIDsAreStable(t *testing.T) {
	ids := NewIDs(testBootID)
	p := ID{PID: 4711, Start: 123_456_789_012}
	span, trace := ids.SpanID(p), ids.TraceID(p)
	if got, want := hex.EncodeToString(span[:]), "12ede94bec8bb4a4"; got != want {
		t.Errorf("span id: got %s, want %s", got, want)
	}
	if got, want := hex.EncodeToString(trace[:]), "1f0f85d34beda93c637e5f84690b6cbe"; got != want {
		t.Errorf("trace id: got %s, want %s", got, want)
	}
}

func TestIDsDependOnEverything(t *testing.T) {
	a, b := NewIDs(testBootID), NewIDs("another boot")
	p := ID{PID: 4711, Start: 123_456_789_012}
	seen := map[SpanID]string{}
	for name, id := range map[string][8]byte{
		"itself":       a.SpanID(p),
		"another boot": b.SpanID(p),
		"another pid":  a.SpanID(ID{PID: p.PID + 1, Start: p.Start}),
		"a ns later":   a.SpanID(ID{PID: p.PID, Start: p.Start + 1}),
	} {
		if other, ok := seen[id]; ok {
			t.Errorf("%s and %s have the same span id", name, other)
		}
		seen[id] = name
	}
}

// Samplers take the low 8 bytes of a trace id for a random number.
func TestIDsAreWellDistributed(t *testing.T) {
	const n = 20_000
	ids := NewIDs(testBootID)
	var set [24 * 8]int
	distinct := map[SpanID]bool{}
	for i := range n {
		p := ID{PID: uint32(i), Start: Time(i) * 10_000_000}
		span, trace := ids.SpanID(p), ids.TraceID(p)
		distinct[span] = true
		for bit := range set {
			b := append(trace[:], span[:]...)[bit/8]
			set[bit] += bits.OnesCount8(b & (1 << (bit % 8)))
		}
	}
	if len(distinct) != n {
		t.Errorf("got %d distinct span ids, want %d", len(distinct), n)
	}
	for bit, ones := range set {
		// 6 standard deviations of a fair coin: sqrt(20,000)/2 = 71.
		if ones < n/2-430 || ones > n/2+430 {
			t.Errorf("bit %d is set in %d of %d ids", bit, ones, n)
		}
	}
}

func BenchmarkIDs(b *testing.B) {
	ids := NewIDs(testBootID)
	p := ID{PID: 4711, Start: 123_456_789_012}
	b.ReportAllocs()
	for b.Loop() {
		span, trace := ids.SpanID(p), ids.TraceID(p)
		p.Start += Time(span[0]) + Time(trace[0])
	}
}
