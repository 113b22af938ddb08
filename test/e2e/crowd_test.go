package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	mostWorkers = 64
	stormSize   = 1000 // processes
	chainLength = 400
	markPrefix  = "marked-"
)

// crowd starts processes, each with a name of its own as its last argument.
type crowd struct {
	t       *testing.T
	random  *rand.Rand
	started atomic.Int64
	mu      sync.Mutex
	names   map[string]string // → the name of the parent, or ""
	stop    chan struct{}
	running sync.WaitGroup
	asleep  *exec.Cmd
	awake   *bufio.Reader // ends when all sleepers have
}

func startCrowd(t *testing.T, seed uint64) *crowd {
	return &crowd{t: t, random: rand.New(rand.NewPCG(seed, 2)), names: map[string]string{}, stop: make(chan struct{})}
}

// add takes note of a process that has begun.
func (c *crowd) add(name, parent string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names[name] = parent
	c.started.Add(1)
}

// sleep starts n processes that live until end.
func (c *crowd) sleep(n int) {
	c.t.Helper()
	// The name comes last; sleep adds its arguments up.
	const script = `n=0; while [ $n -lt $1 ]; do sleep 1000000 $n.0000 & n=$((n+1)); done; echo; wait`
	c.asleep = exec.Command("sh", "-c", script, "sh", fmt.Sprint(n))
	c.asleep.Env = cleanEnviron()
	c.asleep.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := c.asleep.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.asleep.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(c.wake)
	c.awake = bufio.NewReader(out)
	if _, err := c.awake.ReadString('\n'); err != nil {
		c.t.Fatalf("start %d processes: %v", n, err)
	}
	for i := range n {
		c.add(fmt.Sprintf("%d.0000", i), "")
	}
}

// wake ends those that sleep, and returns when they have ended.
func (c *crowd) wake() {
	_ = syscall.Kill(-c.asleep.Process.Pid, syscall.SIGTERM)
	_, _ = io.Copy(io.Discard, c.awake)
	_ = c.asleep.Wait() // again, at the end
}

// begin starts storms and chains until end.
func (c *crowd) begin() {
	c.running.Go(func() {
		for n := 0; c.goesOn(500 * time.Millisecond); n++ {
			c.storm(n)
		}
	})
	c.running.Go(func() {
		for n := 0; c.goesOn(5 * time.Second); n++ {
			c.chain(n)
		}
	})
}

// goesOn lets a time pass, and reports whether the crowd has not ended.
func (c *crowd) goesOn(after time.Duration) bool {
	select {
	case <-c.stop:
		return false
	case <-time.After(after):
		return true
	}
}

// storm starts processes by some workers at once.
func (c *crowd) storm(n int) {
	c.mu.Lock()
	workers := 1 + c.random.IntN(mostWorkers)
	c.mu.Unlock()
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for i := range stormSize / workers {
				name := fmt.Sprintf("%s%d-%d-%d", markPrefix, n, w, i)
				cmd := exec.Command("/bin/true", name)
				cmd.Env = cleanEnviron()
				if err := cmd.Run(); err != nil {
					c.t.Errorf("run %s: %v", name, err)
					return
				}
				c.add(name, "")
			}
		})
	}
	running.Wait()
}

// chain starts a process that starts one, and so on: all are alive when the last
// one begins.
func (c *crowd) chain(n int) {
	const script = `n=${1##*-}; [ "$n" = 0 ] || sh -c "$SCRIPT" sh "${1%-*}-$((n-1))"; true`
	name := func(i int) string { return fmt.Sprintf("%schain-%d-%d", markPrefix, n, i) }
	cmd := exec.Command("sh", "-c", script, "sh", name(chainLength-1))
	cmd.Env = append(cleanEnviron(), "SCRIPT="+script)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Errorf("run a chain: %v: %s", err, out)
		return
	}
	for i := range chainLength {
		c.add(name(i), name(i+1))
	}
}

// end ends the crowd, and returns the names of all processes, each with that of
// its parent.
func (c *crowd) end() map[string]string {
	close(c.stop)
	c.running.Wait()
	c.wake()
	return c.names
}

// marked is the span of a process of the crowd.
type marked struct {
	id, trace, parent string
	start, end        time.Time
}

// markedArgument finds the names of a crowd's processes.
var markedArgument = regexp.MustCompile(`^(` + markPrefix + `.*|\d+\.0000)$`)

// marked adds the spans of a crowd that a sink has got. One process has one span,
// which may come again as it was.
func (s *sink) marked(t *testing.T, found map[string]marked) {
	t.Helper()
	file, err := os.Open(s.traces)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for decoder := json.NewDecoder(bufio.NewReader(file)); ; {
		var request otlpTraces
		err := decoder.Decode(&request)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("decode the traces of the collector: %v", err)
		}
		for _, span := range request.spans() {
			args, _ := stringList(span.Attributes["process.command_args"])
			if len(args) == 0 || !markedArgument.MatchString(args[len(args)-1]) {
				continue
			}
			name := strings.Clone(args[len(args)-1])
			m := marked{span.SpanID, span.TraceID, span.ParentID, span.Start, span.End}
			if other, ok := found[name]; ok && other != m {
				t.Errorf("%s has the spans %v and %v", name, other, m)
			}
			found[name] = m
		}
	}
}
