package process

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// damaged returns a snapshot with bytes changed, frames exchanged or frames cut.
func damaged(snapshot []byte, random *rand.Rand) []byte {
	frames := split(bytes.Clone(snapshot))
	for range 1 + random.IntN(4) {
		f := &frames[1+random.IntN(len(frames)-1)]
		switch random.IntN(3) {
		case 0:
			if len(f.fields) > 0 {
				f.fields[random.IntN(len(f.fields))] = byte(random.Uint32())
			}
		case 1:
			other := &frames[1+random.IntN(len(frames)-1)]
			*f, *other = *other, *f
		case 2:
			f.fields = f.fields[:random.IntN(len(f.fields)+1)]
		}
	}
	return join(frames)
}

// Whatever is damaged, the parts of the restored table are consistent and stay so.
func TestRestoreDamaged(t *testing.T) {
	table, policy := busy(t)
	whole := table.AppendSnapshot(nil)
	losses := 0
	for seed := range uint64(1000) {
		b := damaged(whole, rand.New(rand.NewPCG(seed, 9)))
		first, lost, err := Restore(roomy, policy, testIDs, b)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		losses += min(lost, 1)
		snapshot := first.AppendSnapshot(nil)
		second, lost, err := Restore(roomy, policy, testIDs, snapshot)
		if err != nil || lost > 0 || !bytes.Equal(second.AppendSnapshot(nil), snapshot) {
			t.Fatalf("seed %d: restored again, %d objects are lost, error %v", seed, lost, err)
		}
		first.Advance(first.now + 1000)
		for pid := range uint32(30) {
			for kind := Fork; kind <= Exit; kind++ {
				id, parent := ID{PID: pid, Start: 1 << 40}, ID{PID: pid + 1, Start: 1 << 40}
				first.Apply(&Event{Kind: kind, At: first.now, ID: id, Parent: parent, Execed: true})
			}
			check(t, first)
		}
	}
	if losses < 500 {
		t.Errorf("%d of 1000 snapshots have lost something: these test little", losses)
	}
}
