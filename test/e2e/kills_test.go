package e2e

import (
	"flag"
	"strings"
	"testing"
	"time"
)

var (
	kills    = flag.Int("kills", 10, "how often TestKills kills the agent")
	killSeed = flag.Uint64("kill-seed", 0, "seed of TestKills; 0 takes one of the clock")
)

// TestKills kills the agent again and again, at any moment of its life: while it
// starts, restores, reads, writes a snapshot, or sends what waited for the
// collector, which is away for every tenth kill. Every process has one span, and
// one that came twice came as the same span.
//
//	go test -run TestKills -kills 300 -timeout 1h
func TestKills(t *testing.T) {
	requireObservable(t)
	seed := *killSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	s := newSoak(t, seed)
	crowd := startCrowd(t, seed)
	crowd.sleep(*sleepers)
	crowd.begin()
	begin, unready, reported := time.Now(), 0, time.Now()
	for n := range *kills {
		away := n%10 == 9
		if away {
			s.disconnect()
		}
		s.pause([]time.Duration{200 * time.Millisecond, 2 * time.Second}[min(n%3, 1)]) // starting, or at work
		s.kill()
		if !strings.Contains(s.killed[n].printed(), "msg=observing") {
			unready++
		}
		s.launchAgent()
		if away {
			s.connect()
		}
		if time.Since(reported) > 30*time.Second {
			reported = time.Now()
			progress("kills: %d of %d, %d processes", n+1, *kills, crowd.started.Load())
		}
	}
	s.agent.await(t, "msg=observing")
	started := crowd.end()
	s.end()
	t.Logf("seed %d: %d processes and %d kills in %s, %d of them before the agent was ready",
		seed, len(started), *kills, time.Since(begin).Round(time.Second), unready)
	s.judge(started)
	if lost := ledgerNumber(t, s.agent, "lost"); lost > 0 {
		t.Errorf("the last ledger has %d lost", lost)
	}
}
