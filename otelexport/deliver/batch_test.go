package deliver

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// resources are told apart by their sizes: the n-th has 100·n bytes, and one more.
func resources(n int) [][]byte {
	list := make([][]byte, n)
	for i := range list {
		list[i] = make([]byte, 100*i+1)
	}
	return list
}

// show writes a batch as resource[item item …] for each part.
func show(b *batch) string {
	var parts []string
	for _, p := range b.parts {
		var items []string
		from := 0
		for _, end := range p.ends {
			items = append(items, string(p.Items[from:end]))
			from = end
		}
		parts = append(parts, fmt.Sprint(len(p.Resource)/100, items))
	}
	return strings.Join(parts, " ")
}

func newBatch() *batch {
	b := &batch{}
	b.reset()
	return b
}

func TestBatchGroupsByResource(t *testing.T) {
	b, r := newBatch(), resources(3)
	for i, of := range []int{2, 0, 2, 1, 0} {
		b.add(fmt.Appendf(nil, "%d", i), r[of])
	}
	if got, want := show(b), "2 [0 2] 0 [1 4] 1 [3]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := b.size, 5+200+100+3*(1+partOverhead); got != want {
		t.Errorf("size: got %d, want %d", got, want)
	}
	b.reset()
	b.add([]byte("x"), r[1])
	if got, want := fmt.Sprintf("%s: %d, %d", show(b), b.items, b.size), fmt.Sprint("1 [x]: 1, ", 102+partOverhead); got != want {
		t.Errorf("used again: got %s, want %s", got, want)
	}
}

func TestBatchSplit(t *testing.T) {
	for _, tc := range []struct {
		name          string
		of            []int // resource of each item: a, b, c …
		first, second string
	}{
		{"one resource", []int{0, 0, 0}, "0 [a]", "0 [b c]"},
		{"between resources", []int{0, 1}, "0 [a]", "1 [b]"},
		{"through a resource", []int{0, 1, 1, 1}, "0 [a] 1 [b]", "1 [c d]"},
		{"each its own", []int{0, 1, 2, 3, 4}, "0 [a] 1 [b]", "2 [c] 3 [d] 4 [e]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, r := newBatch(), resources(5)
			for i, of := range tc.of {
				b.add([]byte{'a' + byte(i)}, r[of])
			}
			whole := encodeBatch(b)
			first, second := b.split()
			if got := encodeBatch(b); !reflect.DeepEqual(got, whole) {
				t.Errorf("what was split is written as %q, and was as %q", got.Data, whole.Data)
			}
			for _, half := range []struct {
				b    *batch
				want string
			}{{first, tc.first}, {second, tc.second}} {
				if got := show(half.b); got != half.want {
					t.Errorf("got %s, want %s", got, half.want)
				}
				size, items := 0, 0
				for _, p := range half.b.parts {
					size += p.size()
					items += len(p.ends)
				}
				if half.b.size != size || half.b.items != items {
					t.Errorf("%s: got %d items of %d bytes, want %d of %d", half.want, half.b.items, half.b.size, items, size)
				}
			}
			// Memory is used again: the halves must not overlap.
			for _, p := range first.parts {
				_ = append(p.Items, "XX"...)
				_ = append(p.ends, 99, 99)
			}
			if got := show(second); got != tc.second {
				t.Errorf("second half after an append to the first: got %s", got)
			}
		})
	}
}

// However items come, fail and are split, the backlog keeps to its limits and
// counts each once.
func TestBacklogWithManyResources(t *testing.T) {
	for seed := range uint64(50) {
		random, r := rand.New(rand.NewPCG(seed, 0)), resources(6)
		q := newTestBacklog(t, limits{batchItems: 8, batchSize: 1500, items: 40, size: 6000})
		for range 500 {
			q.in.push(make([]byte, random.IntN(200)), r[random.IntN(len(r))])
			waiting, size := 0, 0
			for _, b := range append(slices.Clone(q.ready), q.in.open) {
				if b == nil {
					continue
				}
				sum, items := 0, 0
				for _, p := range b.parts {
					sum += p.size()
					items += len(p.ends)
				}
				if sum != b.size || items != b.items || items > 8 || sum > 1500 && items > 1 {
					t.Fatalf("seed %d: batch of %d items and %d bytes says %d and %d", seed, items, sum, b.items, b.size)
				}
				waiting += items
				size += sum
			}
			if waiting != q.inQueue() || size != q.inBytes() || waiting > 40 || size > 6000 {
				t.Fatalf("seed %d: %d items of %d bytes wait, the backlog says %d and %d", seed, waiting, size, q.inQueue(), q.inBytes())
			}
			if random.IntN(3) > 0 || len(q.ready) == 0 {
				continue
			}
			b := q.next(t.Context())
			q.done(b, []Verdict{{Rejected: random.IntN(b.items + 1)}, {Outcome: Split}, {Outcome: Final}, {Outcome: Retry}}[random.IntN(4)])
			q.in.batchSize = 1500 // as if split had not lowered it
			if len(q.taken) > 0 {
				t.Fatalf("seed %d: %d batches are taken after each is done", seed, len(q.taken))
			}
			got, _ := q.stats()
			wantSum(t, got)
		}
	}
}
