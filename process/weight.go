package process

import "time"

// weight is how much the spans of a trace take at a server.
type weight struct {
	// bytes is the sum of what Lifetime.Sent reported, and of the estimates of the
	// other spans.
	bytes int64
	// last is when a span was last sent, and cgroup which one it was in.
	last   Time
	cgroup Cgroup
}

const (
	// spanBytes estimates what a span takes beside its strings, and execBytes an exec
	// after the first.
	spanBytes = 640
	execBytes = 256
	// together is how long spans wait for one another. Beyond, they are not sent
	// together, and what they share is sent again.
	together = time.Second
)

// grow adds another exec to the estimate.
func (s *span) grow(im *Image) {
	more := execBytes + int64(im.size())
	s.estimate += more
	s.trace.bytes += more
}

// Sent says how many bytes the span of l takes, and how many more it shares with spans
// of the same cgroup that are sent with it. It replaces the estimate in the weight of
// the trace.
func (l *Lifetime) Sent(bytes, shared int) {
	w := l.weight
	if w == nil {
		return
	}
	l.weight = nil
	if w.last == 0 || l.End.Sub(w.last) >= together || l.Groups.Cgroup != w.cgroup {
		bytes += shared
		w.last, w.cgroup = max(w.last, l.End), l.Groups.Cgroup
	}
	w.bytes += int64(bytes) - l.estimate
}
