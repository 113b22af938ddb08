package process

import (
	"fmt"
	"testing"
)

// With too many that wait, what they hang on is kept, and all are handed out.
func TestWaitingIsBounded(t *testing.T) {
	s := newStoryUnder(t, roomy, shortFailed)
	s.table.policy.MinDuration = 1 << 60
	s.run("init", "a")
	for range maxWaiting + 1 {
		s.run("a", "b")
		s.fail("b")
	}
	if n := len(s.got); n != maxWaiting+1 {
		t.Errorf("%d lifetimes are handed out, want all of %d", n, maxWaiting+1)
	}
	s.waits(0)
	s.exit("a")
	if last := s.got[len(s.got)-1]; last.ID != s.proc("a").id {
		t.Error("what others hang on is left out")
	}
}

func TestEvictedWithOthersThatWait(t *testing.T) {
	s := newStoryUnder(t, Limits{Processes: 3, Bytes: 1 << 20}, shortFailed)
	s.run("init", "a")
	s.run("a", "b")
	s.run("b", "c")
	s.fail("c")
	s.waits(1)
	s.fork("init", "x")
	s.fork("init", "y") // pushes a out
	s.waits(1)
	s.fork("init", "z") // pushes b out
	s.waits(0)
	if got, want := fmt.Sprint(s.places()), "[c in a]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
