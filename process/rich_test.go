package process

import (
	"fmt"
	"time"
)

// belong changes the groups, the user or the environment of p.
func (h *history) belong(p *proc, what int) {
	arg := h.byte()
	g := &p.groups
	switch what & 15 {
	case 0, 1: // as the leader of a group may not
		for _, q := range h.k.living {
			if q.groups.Group == p.id.PID {
				return
			}
		}
		h.k.setsid(p)
	case 2, 3, 4: // a group of its own, or that of another of its session
		g.Group = p.id.PID
		for _, q := range h.k.byAge() {
			if arg&1 != 0 && q != p && q.groups.Session == g.Session && q.id.PID == q.groups.Group {
				g.Group = q.id.PID
			}
		}
	case 5, 6, 7:
		g.Terminal = uint32(arg % 4)
	case 8, 9:
		g.Cgroup.V2 = uint64(arg % 4)
	case 10:
		g.Cgroup.V1 = uint64(100 + arg%4)
	case 11:
		p.user = uint32(arg % 3 / 2)
	default:
		h.k.setenv(p, "LANG=C", "TRACEPARENT="+traceparentOf(arg), fmt.Sprint("TRACESTATE=", arg&7))
	}
}

// traceparentOf is one of few, so that traces are shared: valid, not valid, not
// sampled, none.
func traceparentOf(arg int) string {
	switch arg % 8 {
	case 0:
		return ""
	case 1:
		return "nonsense"
	}
	return fmt.Sprintf("r%d-s%d-%d", arg%5, arg>>4&1, arg>>5&1)
}

// randomPolicy makes one of all that there can be, from two bytes and more.
func randomPolicy(next func() int) Policy {
	b, c := next(), next()
	p := Policy{
		Session: b&1 != 0, Cgroup: b&2 != 0, Job: b&4 != 0,
		LongLived: b&0x88 == 0x88, LongLivedAfter: 40,
		KeepErrors: c&1 != 0, KeepShortErrors: c&2 != 0, Forks: []Forks{ForksOff, ForksAbnormal, ForksAll}[(c>>6)%3],
	}
	if b&16 != 0 {
		p.Extract = testExtract
	}
	if b&32 != 0 {
		p.MaxSpans = 1 + next()%12
	}
	if c&0x0c == 0x0c {
		p.MaxAge = time.Duration(1 + next())
	}
	if b&64 != 0 {
		p.MinDuration = time.Duration(next() % 100)
	}
	if c&0x30 == 0x30 {
		p.Sample = func(id TraceID, remote Remote) bool { return remote.Sampled || id[3]&1 == 0 }
	}
	if r := next(); r&3 == 3 {
		p.Rules = numberRules(r>>2 | next()<<6&0x7c0)
	}
	return p
}
