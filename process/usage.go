package process

import "time"

// Since returns the part of u that follows before, an earlier reading of the same
// process. It splits the CPU time in the ratio of the growth of its halves: the
// kernel splits by ticks, which are too coarse for a part.
//
// u.PeakRSS includes the peak of before; only a higher one is known to follow it.
// Otherwise PeakRSS is ImagePeakRSS.
func (u Usage) Since(before Usage) Usage {
	if before == (Usage{}) {
		return u
	}
	user, system := positive(u.UserTime-before.UserTime), positive(u.SystemTime-before.SystemTime)
	total := positive(u.UserTime + u.SystemTime - before.UserTime - before.SystemTime)
	if user+system > 0 {
		share := float64(system) / float64(user+system)
		u.SystemTime = time.Duration(float64(total) * share)
	} else {
		u.SystemTime = 0
	}
	u.UserTime = total - u.SystemTime
	if u.PeakRSS <= before.PeakRSS {
		u.PeakRSS = u.ImagePeakRSS
	}
	for _, pair := range [...]struct {
		n      *uint64
		before uint64
	}{
		{&u.MinorFaults, before.MinorFaults}, {&u.MajorFaults, before.MajorFaults},
		{&u.Voluntary, before.Voluntary}, {&u.Involuntary, before.Involuntary},
		{&u.ReadBytes, before.ReadBytes}, {&u.WriteBytes, before.WriteBytes},
		{&u.ReadChars, before.ReadChars}, {&u.WriteChars, before.WriteChars},
	} {
		*pair.n -= min(*pair.n, pair.before)
	}
	u.RunDelay = positive(u.RunDelay - before.RunDelay)
	return u
}

// used returns the usage since the exec that the span begins with.
func (e *entry) used(u Usage) Usage {
	if len(e.reexecs)+e.reexecsDropped > 0 {
		u.ImagePeakRSS = 0 // an earlier image of the span may have a higher one
	}
	return u.Since(e.before)
}

func positive(d time.Duration) time.Duration { return max(d, 0) }
