package process

import (
	"slices"
	"strings"
	"testing"
)

// Processes that never execute a program.
func TestForks(t *testing.T) {
	abnormal, all := Policy{Forks: ForksAbnormal}, Policy{Forks: ForksAll}
	server := func(s *story) {
		s.run("init", "nginx")
		for _, worker := range []string{"a", "b", "c", "d"} {
			s.fork("nginx", worker)
		}
		s.kill("a", 9)
		s.hear(s.k.exit(s.proc("b"), 11|0x80))
		s.fail("c")
		s.exit("d", "nginx")
	}
	for _, tc := range []struct {
		name   string
		policy Policy
		tell   func(s *story)
		want   []string
	}{
		{"off", Policy{}, server, []string{"nginx in nginx"}},
		{"abnormal: signals and exit codes", abnormal, server, []string{
			"a in nginx under nginx, forked nginx", "b in nginx under nginx, forked nginx", "c in nginx under nginx, forked nginx", "nginx in nginx",
		}},
		{"all", all, server, []string{
			"a in nginx under nginx, forked nginx", "b in nginx under nginx, forked nginx", "c in nginx under nginx, forked nginx",
			"d in nginx under nginx, forked nginx", "nginx in nginx",
		}},
		{"abnormal: killed for want of memory", abnormal, func(s *story) {
			s.run("init", "server")
			s.fork("server", "a")
			ev := s.k.exit(s.proc("a"), 0)
			ev.OOM.Killed = true
			s.hear(ev)
		}, []string{"a in server under server, forked server"}},
		{"abnormal: not a subshell's exit code, but its signal", abnormal, func(s *story) {
			s.run("init", "bash")
			s.fork("bash", "a")
			s.fail("a")
			s.fork("bash", "b")
			s.kill("b", 11)
		}, []string{"b in bash under bash, forked bash"}},
		{"abnormal: not what is expected", Policy{Forks: ForksAbnormal, Expected: func(l *Lifetime) bool {
			return l.Forked && l.Name() == "server" && l.Status.Signal() == 15
		}}, func(s *story) {
			s.run("init", "server")
			s.fork("server", "a")
			s.kill("a", 15)
			s.fork("server", "b")
			s.kill("b", 9)
		}, []string{"b in server under server, forked server"}},
		{"abnormal: none of the kernel", abnormal, func(s *story) {
			s.fork("init", "kthreadd")
			s.names["kthreadd"].id.PID = 2
			s.fork("kthreadd", "kworker")
			s.fail("kworker")
		}, []string{}},
		{"abnormal: one whose fork was lost", abnormal, func(s *story) {
			s.run("init", "server")
			s.lose(func() { s.fork("server", "a") })
			s.kill("a", 9)
		}, []string{"a in server under server, forked "}},
		{"abnormal: one that is older", abnormal, func(s *story) {
			s.lose(func() { s.run("init", "server"); s.fork("server", "a") })
			s.adopt("server", "a")
			s.kill("a", 9)
		}, []string{"a in server under server, forked server"}},
		{"abnormal: children hang on the ancestor", abnormal, func(s *story) {
			s.run("init", "server")
			s.fork("server", "worker")
			s.run("worker", "job")
			s.exit("job")
			s.kill("worker", 9)
		}, []string{"job in server under server", "worker in server under server, forked server"}},
		{"all: children hang on the fork", all, func(s *story) {
			s.run("init", "server")
			s.fork("server", "worker")
			s.run("worker", "job")
			s.exit("job", "worker")
		}, []string{"job in server under worker", "worker in server under server, forked server"}},
		{"abnormal: in a session of its own", Policy{Forks: ForksAbnormal, Session: true}, func(s *story) {
			s.run("init", "server")
			s.fork("server", "worker")
			s.setsid("worker")
			s.become("worker", 33)
			s.kill("worker", 9)
		}, []string{"worker in worker linked to server:server, session, forked server"}},
		{"all: in a session of its own", Policy{Forks: ForksAll, Session: true}, func(s *story) {
			s.run("init", "server")
			s.fork("server", "worker")
			s.setsid("worker")
			s.become("worker", 33)
			s.exit("worker")
		}, []string{"worker in worker linked to server:server, session, forked server"}},
		{"all: an exec begins the program's span", Policy{Forks: ForksAll, Session: true, Extract: testExtract}, func(s *story) {
			s.run("init", "a")
			s.fork("a", "b")
			s.setsid("b")
			s.exec("b")
			s.fork("a", "c")
			s.setenv("c", "TRACEPARENT=r-s-1")
			s.exec("c")
			s.exit("b", "c", "a")
		}, []string{"b in b linked to a:a, session", "c in r under remote s linked to a:a, traceparent", "a in a"}},
		{"all: the exec was lost", all, func(s *story) {
			s.run("init", "a")
			s.fork("a", "b")
			s.lose(func() { s.exec("b") })
			s.exit("b")
		}, []string{"b in a under a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStoryUnder(t, roomy, tc.policy)
			tc.tell(s)
			places := s.places()
			for i, l := range s.got {
				if p := s.proc(s.name(l.ID)); l.Forked {
					places[i] += ", forked " + base(l.Image.Executable)
					if l.Credentials.RealUser != p.user || l.Start != p.id.Start || l.StartEstimated || l.Name() != l.Comm {
						t.Errorf("%s, forked at %d: %+v", s.name(l.ID), p.id.Start, l)
					}
				} else if len(p.execs) > 0 && l.Start != p.execs[0].at && !l.StartEstimated {
					t.Errorf("%s, which executed a program at %d: %+v", s.name(l.ID), p.execs[0].at, l)
				}
			}
			if !slices.Equal(places, tc.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(places, "\n\t"), strings.Join(tc.want, "\n\t"))
			}
		})
	}
}

// kill ends a process by a signal.
func (s *story) kill(name string, signal int) {
	s.t.Helper()
	s.hear(s.k.exit(s.proc(name), Status(signal)))
}

// Each process that ends has a lifetime if all get one, and its parent too.
func TestAllForksOnHistories(t *testing.T) {
	forked := 0
	for seed := range uint64(100) {
		h := wholeHistory(seed)
		h.policy = Policy{Forks: ForksAll}
		out := h.place(t, true)
		for _, p := range h.k.dead {
			l := out.byID[p.id]
			if p.forker.id.PID == 2 && len(p.execs) == 0 && l == nil {
				continue // it counts as a thread of the kernel
			}
			if l == nil || l.Forked != (len(p.execs) == 0) {
				t.Fatalf("seed %d: %v, with %d execs, has %+v", seed, p.id, len(p.execs), l)
			}
			up := p.forker
			for up.forker != nil && up.forker.id.PID == 2 && (len(up.execs) == 0 || up.execs[0].at > p.id.Start) {
				up = up.forker
			}
			if up.id.PID == 1 {
				up = nil
			}
			if want := up.ident(); l.Parent != want {
				t.Fatalf("seed %d: %v is under %v, want %v", seed, p.id, l.Parent, want)
			}
			if l.Forked {
				forked++
			}
		}
	}
	if forked < 300 {
		t.Errorf("%d processes executed nothing: these test little", forked)
	}
}
