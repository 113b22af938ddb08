package process

import "testing"

// To a daemon, the command of procspan exec is told its own name at its second
// exec, after that of the launcher. What it starts inherits the name, and hangs
// on it as on any other process.
func TestRejoinUnderOwnName(t *testing.T) {
	for _, tc := range []struct {
		name     string
		agreed   bool // that is the trace it is in anyway
		boundary Boundary
	}{
		{"in the trace that it is in", true, ""},
		{"in another trace", false, BoundaryTraceparent},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStory(t, roomy)
			var own SpanContext
			s.table = NewTable(roomy, Policy{Extract: func(string, string) (Remote, bool) {
				return Remote{Context: own, Sampled: true}, true
			}}, testIDs)
			execTold := func(name string) {
				s.setenv(name, "TRACEPARENT=own")
				s.exec(name)
			}
			s.fork("init", "procspan")
			s.exec("procspan")
			root := s.last.ID
			s.fork("procspan", "sh")
			s.exec("sh")
			own = SpanContext{TraceID{7}, testIDs.SpanID(s.last.ID)}
			if tc.agreed {
				own.Trace = testIDs.TraceID(root)
			}
			execTold("sh")
			s.fork("sh", "ls")
			execTold("ls")
			s.exit("ls", "sh", "procspan")

			ls, sh, procspan := s.got[0], s.got[1], s.got[2]
			var parent SpanID
			var link SpanContext
			if tc.agreed {
				parent = procspan.Context.Span
			} else {
				link = procspan.Context
			}
			if sh.Context != own || sh.ParentSpan != parent || sh.Link != link || sh.Boundary != tc.boundary {
				t.Errorf("the command is %v under %v, linked to %v by %q, want %v under %v, linked to %v by %q",
					sh.Context, sh.ParentSpan, sh.Link, sh.Boundary, own, parent, link, tc.boundary)
			}
			if ls.Context.Trace != own.Trace || ls.ParentSpan != own.Span || ls.ParentRemote || ls.Boundary != "" {
				t.Errorf("its child is %v under %v (remote: %t, boundary %q), want it in the same trace under %v",
					ls.Context, ls.ParentSpan, ls.ParentRemote, ls.Boundary, own.Span)
			}
		})
	}
}
