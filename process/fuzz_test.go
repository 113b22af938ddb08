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
		newHistory(in).run(t)
	})
}

// FuzzAnyOrder gives a table events that no kernel would: any of them, in any
// order. It stays in its bounds, and ends nothing twice or before it began.
func FuzzAnyOrder(f *testing.F) {
	f.Add([]byte("fork exec exit, fork exec exit, fork exec exit"))
	f.Add([]byte{0, 2, 17, 2, 2, 17, 2, 1, 17, 2, 2, 17, 2, 0, 18, 17})
	f.Fuzz(func(t *testing.T, in []byte) {
		table := NewTable(Limits{Processes: 5, Bytes: 60}, Policy{}, testIDs)
		ended := map[ID]bool{}
		for now := uint64(1); len(in) >= 3; now++ {
			what, who, parent := in[0], in[1], in[2]
			in = in[3:]
			ev := &Event{
				Kind: Kind(what % 5), At: uint64(what >> 4), Execed: what&8 != 0, FirstExec: what&4 != 0, ExecID: uint64(what >> 6),
				ID:     ID{PID: uint32(who & 15), Start: uint64(who >> 4)},
				Parent: ID{PID: uint32(parent & 15), Start: uint64(parent >> 4)},
				Image:  Image{Executable: fmt.Sprint(now * now)},
			}
			out := table.Apply(ev)
			check(t, table)
			if len(out) == 0 {
				continue
			}
			l := out[0]
			if l.ID != ev.ID {
				t.Fatalf("the exit of %v ends %v", ev.ID, l.ID)
			}
			if ended[l.ID] {
				t.Fatalf("%v ends twice", l.ID)
			}
			ended[l.ID] = true
			if l.Start > l.End {
				t.Fatalf("%v is from %d to %d", l.ID, l.Start, l.End)
			}
		}
	})
}
