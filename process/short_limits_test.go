package process

import (
	"fmt"
	"strings"
	"testing"
)

// With too many deferred lifetimes, their parent is kept, and all are handed out.
func TestDeferredAreBounded(t *testing.T) {
	s := newStoryUnder(t, roomy, shortFailed)
	s.table.policy.MinDuration = 1 << 60
	s.run("init", "a")
	for range maxDeferred + 1 {
		s.run("a", "b")
		s.fail("b")
	}
	if n := len(s.got); n != maxDeferred+1 {
		t.Errorf("%d lifetimes are handed out, want all of %d", n, maxDeferred+1)
	}
	s.waits(0)
	s.exit("a")
	if last := s.got[len(s.got)-1]; last.ID != s.proc("a").id {
		t.Error("what others hang on is left out")
	}
}

// They are bounded in bytes, too.
func TestDeferredAreBoundedInBytes(t *testing.T) {
	s := newStoryUnder(t, Limits{Processes: 100, Bytes: 1 << 20}, shortFailed)
	s.table.policy.MinDuration = 1 << 60
	s.run("init", "a")
	for range 100 {
		s.fork("a", "b")
		s.execFile("b", "/bin/"+strings.Repeat("x", 10_000))
		s.fail("b")
		if most := s.table.limits.Bytes/deferredShare + 40_000; s.table.deferredBytes > most {
			t.Fatalf("%d bytes are deferred, want %d at most", s.table.deferredBytes, most)
		}
	}
	if n := len(s.got); n != 100 {
		t.Errorf("%d lifetimes are handed out, want all of 100", n)
	}
	s.waits(0)
}

func TestEvictedWithOthersThatWait(t *testing.T) {
	s := newStoryUnder(t, Limits{Processes: 3, Bytes: 1 << 20}, shortFailed)
	s.run("init", "a")
	s.run("a", "b")
	s.run("b", "c")
	s.fail("c")
	s.waits(1)
	s.fork("a", "x")
	s.fork("a", "y") // pushes a out
	s.waits(1)
	s.fork("b", "z") // pushes b out
	s.waits(0)
	if got, want := fmt.Sprint(s.places()), "[c in a]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
