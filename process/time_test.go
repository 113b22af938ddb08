package process

import (
	"math"
	"testing"
	"time"
)

func TestTime(t *testing.T) {
	const first, last = Time(0), Time(math.MaxUint64)
	for _, tc := range []struct {
		name string
		got  any
		want any
	}{
		{"after", Time(5).Add(2), Time(7)},
		{"before", Time(5).Add(-2), Time(3)},
		{"before the first", Time(5).Add(-6), first},
		{"before the first, by the most", Time(5).Add(math.MinInt64), first},
		{"after the last", (last - 5).Add(6), last},
		{"the last", (last - 5).Add(5), last},
		{"later", Time(7).Sub(5), time.Duration(2)},
		{"earlier", Time(5).Sub(7), time.Duration(-2)},
		{"the same", Time(5).Sub(5), time.Duration(0)},
		{"too long", last.Sub(first), time.Duration(math.MaxInt64)},
		{"too long ago", first.Sub(last), time.Duration(-math.MaxInt64)},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: got %d, want %d", tc.name, tc.got, tc.want)
		}
	}
}
