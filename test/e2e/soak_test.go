package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	soakTime = flag.Duration("soak", 20*time.Second, "how long TestSoak lets things go wrong")
	sleepers = flag.Int("sleepers", 300, "processes that live through the whole of TestSoak")
	soakSeed = flag.Uint64("soak-seed", 0, "seed of TestSoak; 0 takes one of the clock")
)

// TestSoak kills the agent and the connection to the Collector at random moments,
// takes the Collector away, and fills the disk, while processes live and die in
// storms and chains. At the end every process has one span, or the ledger of an
// agent counts it as lost; and every member of a chain is under its parent.
//
//	go test -run TestSoak -soak 20m -sleepers 10000 -timeout 1h
func TestSoak(t *testing.T) {
	requireObservable(t)
	seed := *soakSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	s := newSoak(t, seed)
	crowd := startCrowd(t, seed)
	crowd.sleep(*sleepers)
	crowd.begin()
	faults := []struct {
		name string
		do   func()
	}{
		{"kill the agent", s.killAgent},
		{"kill the agent", s.killAgent},
		{"restart the agent", s.restartAgent},
		{"take the collector away", s.outage},
		{"take the collector away, and kill the agent", s.outageAndKill},
		{"fill the disk", s.fullDisk},
	}
	begin, done := time.Now(), map[string]int{}
	for reported := begin; time.Since(begin) < *soakTime; {
		fault := faults[s.random.IntN(len(faults))]
		s.pause(2 * time.Second)
		fault.do()
		done[fault.name]++
		if time.Since(reported) > 30*time.Second {
			reported = time.Now()
			progress("soak: %d processes in %s; faults: %v", crowd.started.Load(), time.Since(begin).Round(time.Second), done)
		}
	}
	started := crowd.end()
	s.end()
	t.Logf("seed %d: %d processes in %s; faults: %v", seed, len(started), time.Since(begin).Round(time.Second), done)
	s.judge(started)
}

// soak is the agent, the Collector and what is between them.
type soak struct {
	t              *testing.T
	random         *rand.Rand
	binary, config string
	disk, store    string
	wire           *breaker
	agent          *server
	sink           *sink
	stopped        []*server // agents that ended on SIGTERM, and so told their ledger
	killed         []*server
	sinks          []*sink
}

func newSoak(t *testing.T, seed uint64) *soak {
	t.Helper()
	s := &soak{t: t, random: rand.New(rand.NewPCG(seed, 1)), binary: procspanBinary(t), wire: newBreaker(t), disk: smallDisk(t, "48m")}
	s.store = filepath.Join(s.disk, "store")
	s.config = procspanConfig(t, s.wire.address, "", persisting(t, s.store))
	detachAtTheEnd(t, s.config)
	s.connect()
	s.startAgent()
	return s
}

// pause lets a random time pass, up to most: when something goes wrong is what
// is random here.
func (s *soak) pause(most time.Duration) {
	select {
	case <-s.t.Context().Done():
	case <-time.After(time.Duration(s.random.Int64N(int64(most)))):
	}
}

// connect starts a Collector.
func (s *soak) connect() {
	s.sink = startSink(s.t)
	s.sinks = append(s.sinks, s.sink)
	s.wire.connect(s.sink.otlp)
}

// disconnect cuts the connection to the Collector at whatever it carries, and
// then ends the Collector, so that what it has confirmed is in its file.
func (s *soak) disconnect() {
	s.wire.cut()
	s.sink.finish(s.t)
}

func (s *soak) startAgent() {
	s.t.Helper()
	s.launchAgent()
	s.agent.await(s.t, "msg=observing")
}

// launchAgent starts the agent, and does not wait until it observes.
func (s *soak) launchAgent() {
	s.t.Helper()
	s.agent = startServer(s.t, "procspan", s.binary, "run", "--config", s.config)
}

func (s *soak) killAgent() {
	s.kill()
	s.pause(2 * time.Second)
	s.startAgent()
}

func (s *soak) kill() {
	if err := s.agent.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	<-s.agent.exited
	s.killed = append(s.killed, s.agent)
}

func (s *soak) stopAgent() {
	if status := s.agent.stop(); status != "exit status 0" {
		s.t.Errorf("procspan run ends with %s on SIGTERM", status)
	}
	s.stopped = append(s.stopped, s.agent)
}

func (s *soak) restartAgent() {
	s.stopAgent()
	s.pause(time.Second)
	s.startAgent()
}

func (s *soak) outage() {
	s.disconnect()
	s.pause(6 * time.Second)
	s.connect()
}

func (s *soak) outageAndKill() {
	s.disconnect()
	s.pause(3 * time.Second)
	s.killAgent()
	s.pause(3 * time.Second)
	s.connect()
}

// fullDisk fills the disk while the Collector is away. The agent is not killed
// meanwhile: what it drops stands in its ledger, which it tells at its end.
func (s *soak) fullDisk() {
	s.disconnect()
	s.pause(2 * time.Second)
	filler := fillDisk(s.t, s.disk)
	s.pause(4 * time.Second)
	if err := os.Remove(filler); err != nil {
		s.t.Fatal(err)
	}
	s.connect()
	s.restartAgent()
}

func (s *soak) end() {
	awaitDrained(s.t, s.agent, s.store)
	s.stopAgent()
	s.disconnect()
}

// lostEvent finds losses that cost a span; any process of the host may cause others.
var lostEvent = regexp.MustCompile(`msg=lost reason="(fork|exec|exit|descendants)`)

// judge compares what was started with what has arrived, and what is missing with
// the ledgers.
func (s *soak) judge(started map[string]string) {
	t, lost := s.t, 0
	for _, agent := range s.stopped {
		lost += ledgerNumber(t, agent, "lost")
	}
	for _, agent := range s.killed {
		if text := agent.printed(); strings.Contains(text, "dropped") || lostEvent.MatchString(text) {
			t.Errorf("an agent that was killed lost something before:\n%s", agent.logTail())
		}
	}
	for _, agent := range append(s.stopped, s.killed...) {
		if text := agent.printed(); strings.Contains(text, "does not add up") || strings.Contains(text, "panic") {
			t.Errorf("an agent says:\n%s", agent.logTail())
		}
	}
	found := map[string]marked{}
	for _, sink := range s.sinks {
		sink.marked(t, found)
	}
	var missing []string
	astray := 0
	for name, parent := range started {
		span, ok := found[name]
		if !ok {
			missing = append(missing, name)
			continue
		}
		if above, ok := found[parent]; ok && span.parent != above.id {
			if astray++; astray < 10 {
				t.Errorf("the parent of %s is %s, want %s: %s", name, span.parent, above.id, parent)
			}
		}
	}
	t.Logf("%d spans arrived, %d are missing, %d are lost by the ledgers; %d agents were killed, %d stopped, and %d collectors ended",
		len(found), len(missing), lost, len(s.killed), len(s.stopped), len(s.sinks))
	if len(missing) > lost {
		t.Errorf("%d processes have no span, and the ledgers count %d lost; the first: %q", len(missing), lost, missing[:min(len(missing), 20)])
	}
}

// smallDisk mounts a file system of its own for the test, which ends with it.
func smallDisk(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal(fmt.Errorf("mount a small disk: %w", err))
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
