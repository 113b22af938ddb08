package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// load is a shell that has numbered processes live and die, one after the other,
// at a rate: number n is /bin/true with the argument "numbered-n".
type load struct {
	t     *testing.T
	ended atomic.Int64 // so many have ended: the numbers below
	stop  func() int64 // ends it, and returns how many there were
}

const numberedArgument = "numbered-"

// startLoad starts the shell, and ends it with the test.
func startLoad(t *testing.T, perSecond int) *load {
	t.Helper()
	cmd := exec.Command("sh", "-c", "while read n; do /bin/true "+numberedArgument+"$n; echo $n; done")
	cmd.Env = cleanEnviron()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l := &load{t: t}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			l.ended.Add(1)
		}
	}()
	go func() {
		defer in.Close()
		const ticks = 20 // a second
		every := time.NewTicker(time.Second / ticks)
		defer every.Stop()
		for n := 0; ; {
			for range perSecond / ticks {
				if _, err := fmt.Fprintln(in, n); err != nil {
					return
				}
				n++
			}
			select {
			case <-every.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	l.stop = func() int64 {
		cancel()
		<-done
		_ = cmd.Wait() // again, at the end
		return l.ended.Load()
	}
	t.Cleanup(func() { l.stop() })
	return l
}

// await returns when so many have ended.
func (l *load) await(n int64) {
	l.t.Helper()
	err := poll(l.t.Context(), startTimeout, func(context.Context) error {
		if have := l.ended.Load(); have < n {
			return fmt.Errorf("%d processes have ended, want %d", have, n)
		}
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

// arrival is a span that has arrived, as far as these tests look.
type arrival struct {
	id     string
	number int // of a process of the load, or -1
	end    time.Time
}

// arrivals returns the spans that a sink has got, each once.
func (s *sink) arrivals(t *testing.T) map[string]arrival {
	t.Helper()
	file, err := os.Open(s.traces)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	all := map[string]arrival{}
	for decoder := json.NewDecoder(bufio.NewReader(file)); ; {
		var request otlpTraces
		err := decoder.Decode(&request)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("decode the traces of the collector: %v", err)
		}
		for _, span := range request.spans() {
			a := arrival{id: span.SpanID, number: -1, end: span.End}
			args, _ := stringList(span.Attributes["process.command_args"])
			if len(args) == 2 {
				if text, ok := strings.CutPrefix(args[1], numberedArgument); ok {
					if a.number, err = strconv.Atoi(text); err != nil {
						t.Fatalf("the arguments of %v are %q", span, args)
					}
				}
			}
			all[a.id] = a
		}
	}
}

// byNumber returns the spans of the load's processes, and holds that each has one
// only.
func byNumber(t *testing.T, sets ...map[string]arrival) map[int]arrival {
	t.Helper()
	found := map[int]arrival{}
	for _, set := range sets {
		for _, a := range set {
			if other, ok := found[a.number]; ok && a.number >= 0 && other.id != a.id {
				t.Errorf("process %d has the spans %s and %s", a.number, other.id, a.id)
			}
			found[a.number] = a
		}
	}
	delete(found, -1)
	return found
}
