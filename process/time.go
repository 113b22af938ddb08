package process

import (
	"math"
	"time"
)

// Time is a moment in kernel time: nanoseconds since boot, including suspends
// (CLOCK_BOOTTIME).
type Time uint64

// Add returns t+d. The result saturates.
func (t Time) Add(d time.Duration) Time {
	if d < 0 {
		return t - min(t, Time(-d))
	}
	return t + min(Time(d), math.MaxUint64-t)
}

// Sub returns the time from u to t, negative if t is before u. The result saturates.
func (t Time) Sub(u Time) time.Duration {
	if t < u {
		return -time.Duration(min(u-t, math.MaxInt64))
	}
	return time.Duration(min(t-u, math.MaxInt64))
}
