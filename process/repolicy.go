package process

// SetPolicy changes the policy for what is not decided yet. What was decided stays: a
// process keeps its trace, and whether that is sampled; a span that others may refer
// to is sent; the rules of its last exec decide on a process, also at its end. It returns lifetimes as Apply does.
func (t *Table) SetPolicy(p Policy) []*Lifetime {
	t.begin(t.now)
	before := t.policy
	t.policy = p
	if p.MinDuration != before.MinDuration {
		for e := t.order.newer; e != &t.order; e = e.newer {
			switch s := e.span; {
			case s == nil || s.state != undecided:
			case t.certain(s):
				t.decide(s, promised) // log records refer to it
			default:
				s.until = s.start.Add(t.wait(s.ruling))
				t.fix(s)
			}
		}
	}
	if before.Rules != nil || p.Rules != nil {
		t.translate(before.programs())
	}
	t.promiseMature()
	return t.out
}
