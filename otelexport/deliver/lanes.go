package deliver

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/procspan/procspan/otelexport/spool"
)

// This file finds for each exporter what an earlier one left.

// match returns, for each of the former exporters, the present one that takes over
// what it left, or -1. It is the one with the same key. Exporters whose endpoint has
// changed have no such; what is left over is matched in order.
func match(former, present []string) []int {
	to, taken := make([]int, len(former)), make([]bool, len(present))
	find := func(is func(i int, key string) bool, key string) int {
		for i := range present {
			if !taken[i] && is(i, key) {
				taken[i] = true
				return i
			}
		}
		return -1
	}
	for i, key := range former {
		to[i] = find(func(i int, key string) bool { return present[i] == key }, key)
	}
	for i, key := range former {
		if to[i] < 0 {
			to[i] = find(func(int, string) bool { return true }, key)
		}
	}
	return to
}

// assign returns the lane of each exporter, and the lanes in which items wait that
// none of them takes. After an error the next agent may assign them otherwise.
func assign(store *spool.Store, s Signal, keys []string) (lanes, left []string, err error) {
	known, err := store.Keys(s.key())
	var names, former []string
	for _, name := range slices.Sorted(maps.Keys(known)) {
		names, former = append(names, name), append(former, known[name])
	}
	lanes = make([]string, len(keys))
	for i, to := range match(former, keys) {
		if to >= 0 {
			lanes[to] = names[i]
		} else {
			left = append(left, names[i])
		}
	}
	for i := range lanes {
		if lanes[i] == "" {
			lanes[i] = freshLane(s, known)
		}
		known[lanes[i]] = keys[i]
	}
	return lanes, left, errors.Join(err, store.SetKeys(s.key(), known))
}

// freshLane returns the name of a lane that is not known.
func freshLane(s Signal, known map[string]string) string {
	name := s.key()
	for n := 2; ; n++ {
		if _, used := known[name]; !used {
			return name
		}
		name = fmt.Sprintf("%s.%d", s.key(), n)
	}
}
