package otlp

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestTimestamp(t *testing.T) {
	var ts timestamp
	random := rand.New(rand.NewPCG(1, 2))
	moments := []uint64{0, 1, 999_999_999, 1e9, 1e9 - 1, math.MaxInt64, 0}
	for range 10_000 {
		near := moments[len(moments)-1] + random.Uint64N(2e9)
		moments = append(moments, random.Uint64N(math.MaxInt64), near%math.MaxInt64)
	}
	for _, ns := range moments {
		want := time.Unix(0, int64(ns)).UTC().Format("2006-01-02T15:04:05.000000000Z07:00")
		if got := string(ts.format(ns)); got != want {
			t.Fatalf("%d is %s, want %s", ns, got, want)
		}
	}
}
