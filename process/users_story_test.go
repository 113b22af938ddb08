package process

import "testing"

// become changes the user of a process, as su does before it executes a shell.
func (s *story) become(name string, user uint32) { s.t.Helper(); s.proc(name).user = user }

// runAs runs child as a user, with a TRACEPARENT.
func (s *story) runAs(user uint32, child, traceparent string) {
	s.t.Helper()
	s.fork("init", child)
	s.become(child, user)
	s.setenv(child, "TRACEPARENT="+traceparent, "TRACESTATE=of="+child)
	s.exec(child)
}

// A trace id is no secret. Whoever joins a trace with it changes nothing for the
// processes of other users that join it.
func TestUsersShareNoTrace(t *testing.T) {
	tellAll(t, []placing{
		{name: "not whether it is sampled", policy: Policy{Sample: onlyRemote, Extract: testExtract}, tell: func(s *story) {
			s.runAs(666, "foe", "r-s-0")
			s.runAs(0, "job", "r-s-1")
			s.run("job", "child")
			s.exit("child", "job", "foe")
		}, want: []string{"child in r under job, state of=job", "job in r under remote s, state of=job"}, stats: Stats{SampledOut: 1}},
		{name: "not its tracestate", policy: Policy{Extract: testExtract}, tell: func(s *story) {
			s.runAs(666, "foe", "r-s-1")
			s.runAs(0, "job", "r-s-1")
			s.exit("job", "foe")
		}, want: []string{"job in r under remote s, state of=job", "foe in r under remote s, state of=foe"}},
		{name: "not its size", policy: Policy{Extract: testExtract, MaxSpans: 2}, tell: func(s *story) {
			s.runAs(666, "foe", "r-s-1")
			s.run("foe", "b")
			s.run("foe", "c")
			s.runAs(0, "job", "r-s-1")
			s.run("job", "child")
			s.exit("child", "job", "c", "b", "foe")
		}, want: []string{
			"child in r under job, state of=job", "job in r under remote s, state of=job",
			"c in c linked to r:foe, cap, state of=foe", "b in r under foe, state of=foe", "foe in r under remote s, state of=foe",
		}},
		{name: "not its age, nor its beginning", policy: Policy{Extract: testExtract, MaxAge: 100}, tell: func(s *story) {
			s.runAs(666, "foe", "r-s-1")
			s.wait(100)
			s.runAs(0, "job", "r-s-1")
			s.exit("job", "foe")
			for _, l := range s.got {
				if l.Root != l.ID {
					s.t.Errorf("%s begins with %v", s.name(l.ID), l.Root)
				}
			}
		}, want: []string{"job in r under remote s, state of=job", "foe in r under remote s, state of=foe"}},
		{name: "a trace that began here", policy: Policy{Sample: onlyRemote, Extract: testExtract, KeepErrors: true}, tell: func(s *story) {
			s.run("init", "job")
			s.runAs(666, "foe", ownTraceparent(s.proc("job")))
			s.run("job", "child")
			s.exit("child", "job", "foe")
		}, want: []string{"foe in job under remote job, state of=foe"}, stats: Stats{SampledOut: 2}},
		{name: "but one job goes on as another user", policy: Policy{Extract: testExtract, MaxSpans: 2}, tell: func(s *story) {
			s.runAs(1000, "job", "r-s-1")
			s.fork("job", "su")
			s.become("su", 0)
			s.exec("su")
			s.runWith("su", "c", "r-z-1")
			s.exit("c", "su", "job")
		}, want: []string{
			"c in c linked to r:z, cap", "su in r under job, state of=job", "job in r under remote s, state of=job",
		}},
	})
}
