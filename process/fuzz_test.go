package process

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestTableOnHistories runs many random histories, the same ones each time.
func TestTableOnHistories(t *testing.T) {
	for _, tc := range []struct {
		name  string
		flags byte
	}{
		{"whole", 0},
		{"exits told twice", 2},
		{"lossy", 1},
		{"lossy, exits told twice", 3},
		{"few processes", 4},
		{"few bytes", 8},
		{"all of it", 15},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lifetimes := 0
			const seeds = 100
			for seed := range seeds {
				random := rand.New(rand.NewPCG(uint64(seed), uint64(tc.flags)))
				in := make([]byte, 8+random.IntN(800))
				for i := range in {
					in[i] = byte(random.Uint32())
				}
				in[0] = tc.flags
				lifetimes += newHistory(in).run(t)
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
			if lifetimes < 10*seeds {
				t.Errorf("%d lifetimes in %d histories: these test little", lifetimes, seeds)
			}
		})
	}
}

// FuzzTable runs histories that the fuzzer makes up.
func FuzzTable(f *testing.F) {
	for flags := range 16 {
		in := []byte{byte(flags)}
		random := rand.New(rand.NewPCG(uint64(flags), 0))
		for range 300 {
			in = append(in, byte(random.Uint32()))
		}
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 4096 {
			t.Skip("long histories find nothing that short ones do not")
		}
		if len(in) > 0 {
			in[0] &= 15
		}
		newHistory(in).run(t)
	})
}

// FuzzAnyOrder calls a table as no agent would: with any events, lists and snapshots, in
// any order. The table stays within its limits and hands out each lifetime once.
func FuzzAnyOrder(f *testing.F) {
	f.Add([]byte("fork exec exit, fork exec exit, fork exec exit"))
	f.Add([]byte{2, 1, 0, 1, 17, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, policy := range []Policy{
			{}, {MinDuration: 3, KeepShortErrors: true, MaxSpans: 3, Session: true},
			{Forks: ForksAbnormal, Session: true, MaxBytes: 3000}, {Forks: ForksAll, Session: true, MinDuration: 3},
		} {
			anyOrder(t, policy, in)
		}
	})
}

func anyOrder(t *testing.T, policy Policy, in []byte) {
	table := NewTable(Limits{Processes: 5, Bytes: 60}, policy, testIDs)
	ended := map[ID]bool{}
	take := func(out []*Lifetime) {
		for _, l := range out {
			if ended[l.ID] {
				t.Fatalf("%v is handed out twice", l.ID)
			}
			ended[l.ID] = true
			if l.Start > l.End {
				t.Fatalf("%v is from %d to %d", l.ID, l.Start, l.End)
			}
		}
	}
	for now := 1; len(in) >= 3; now++ {
		check(t, table)
		what, who, parent := in[0], in[1], in[2]
		in = in[3:]
		at := Time(what >> 4)
		id := ID{PID: uint32(who & 15), Start: Time(who >> 4)}
		up := ID{PID: uint32(parent & 15), Start: Time(parent >> 4)}
		image := Image{Executable: fmt.Sprint(now * now)}
		switch what % 8 {
		case 5:
			take(table.Adopt([]Living{{ID: id, Parent: up, Execed: what&8 != 0, Image: image}, {ID: up}}))
		case 6:
			take(table.Gone([]ID{id, up}, at))
		case 7:
			take(table.Advance(at))
			table = replaced(t, table)
		default:
			take(table.Apply(&Event{
				Kind: Kind(what % 8), At: at, ID: id, Parent: up, Image: image,
				Execed: what&8 != 0, FirstExec: what&4 != 0, ExecID: uint64(what >> 6), Status: Status(parent&1) << 8,
				Groups: Groups{Session: uint32(who & 1)},
			}))
		}
	}
	take(table.Close())
	if n := int(table.Stats().Ended); n != len(ended) {
		t.Fatalf("%d lifetimes are counted, %d were handed out", n, len(ended))
	}
}
