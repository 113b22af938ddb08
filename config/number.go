package config

import "time"

func (s section) integer(key string, def, low, high int) int {
	n, ok := s.scalar(key, "an integer", tagInt)
	if !ok {
		return def
	}
	v, err := parseInt(n.Value)
	if err != nil || v < int64(low) || v > int64(high) {
		s.fail(key, "must be %d to %d (got %s)", low, high, found(n, false))
		return def
	}
	return int(v)
}

// milliseconds reads an integer of milliseconds.
func (s section) milliseconds(key string, def, low, high time.Duration) time.Duration {
	n, ok := s.scalar(key, "an integer of milliseconds", tagInt)
	if !ok {
		return def
	}
	v, err := parseInt(n.Value)
	if err != nil || v < low.Milliseconds() || v > high.Milliseconds() {
		s.fail(key, "must be %d to %d milliseconds (got %s)%s",
			low.Milliseconds(), high.Milliseconds(), found(n, false), noLimit(v, low))
		return def
	}
	return time.Duration(v) * time.Millisecond
}

// noLimit explains why 0, which means "no limit" elsewhere, is refused.
func noLimit(v int64, low time.Duration) string {
	if v == 0 && low > 0 {
		return "; procspan does not wait without a limit"
	}
	return ""
}
