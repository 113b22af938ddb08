package config

import (
	"math"
	"strconv"
	"strings"
)

type unit struct {
	name  string
	bytes int64
}

// units from the largest to the smallest; "B" last, since all end in it.
func units() []unit {
	return []unit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}
}

// parseSize reads "16MiB" or "16 MiB" as bytes.
func parseSize(s string) (int64, bool) {
	for _, u := range units() {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSuffix(digits, " "), 10, 63)
		if err != nil || n > uint64(math.MaxInt64/u.bytes) {
			return 0, false
		}
		return int64(n) * u.bytes, true
	}
	return 0, false
}

// formatSize writes bytes in the largest unit that divides them.
func formatSize(n int64) string {
	for _, u := range units() {
		if n%u.bytes == 0 && n != 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}
