package config

import (
	"strings"
	"time"
)

// duration reads a duration of low or more.
func (s section) duration(key string, def, low time.Duration) time.Duration {
	const what = "a duration with its unit, as in 90s"
	n, ok := s.scalar(key, what, tagStr, tagInt, tagFloat)
	if !ok {
		return def
	}
	d, err := time.ParseDuration(n.Value)
	switch {
	case err != nil:
		s.fail(key, "must be %s (got %s); units are ns, us, ms, s, m and h, and 2562047h is the longest", what, found(n, false))
		return def
	case d < low:
		s.fail(key, "must be %s or more (got %s)", low, found(n, false))
		return def
	}
	return d
}

// formatDuration writes "24h" for what Go writes as "24h0m0s".
func formatDuration(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}
