package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// witness is what strace saw of a command and its descendants: processes by
// pid, told by ptrace and so without anything that procspan is built on.
type witness struct {
	root      int
	processes map[int]*witnessed
}

// witnessed is one process as strace saw it.
type witnessed struct {
	pid, parent int
	execs       []execution // successful ones, in order
	ended       bool
	endedAt     time.Time
	exitCode    int // 128+n when signal n ended it
}

// execution is a successful execve.
type execution struct {
	at   time.Time // of the call, before it succeeded
	file string    // as given to execve
	args []string
}

// straceArgs are the arguments that make strace write what parseWitness reads.
func straceArgs(output string) []string {
	return []string{
		"-f", "-o", output, "-s", "65536", "-e", "signal=none",
		"-e", "trace=execve,execveat,clone,clone3,fork,vfork",
		"--absolute-timestamps=format:unix,precision:ns",
	}
}

// awaitWitness reads strace's file once it holds the end of every process.
// strace is still writing when it is not the command's parent.
func awaitWitness(t *testing.T, path string) *witness {
	t.Helper()
	var w *witness
	err := poll(t.Context(), readTimeout, func(context.Context) (err error) {
		if w, err = parseWitness(path); err != nil {
			return err
		}
		for _, p := range w.processes {
			if !p.ended {
				return fmt.Errorf("strace does not tell the end of process %d", p.pid)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("read strace's file: %v", err)
	}
	return w
}

// The lines of strace's file: PID TIME and then a call, the first part of one,
// the second part, or the end of the process.
var (
	lineFormat    = regexp.MustCompile(`^(\d+) +(\d+)\.(\d{9}) (.*)$`)
	resumedFormat = regexp.MustCompile(`^<\.\.\. \w+ resumed>(.*)$`)
	resultFormat  = regexp.MustCompile(`\) += (-?\d+)`)
	execFormat    = regexp.MustCompile(`^execve\(("(?:[^"\\]|\\.)*"), \[(.*)\], 0x`)
	stringFormat  = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	exitedFormat  = regexp.MustCompile(`^\+\+\+ exited with (\d+) \+\+\+$`)
	killedFormat  = regexp.MustCompile(`^\+\+\+ killed by (SIG\w+)(?: \(core dumped\))? \+\+\+$`)
)

// parseWitness reads strace's file.
func parseWitness(path string) (*witness, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	w := &witness{processes: map[int]*witnessed{}}
	unfinished := map[int]call{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		line := lineFormat.FindStringSubmatch(lines.Text())
		if line == nil {
			return nil, fmt.Errorf("strace's line is not understood: %q", lines.Text())
		}
		pid := number(line[1])
		at := time.Unix(int64(number(line[2])), int64(number(line[3])))
		if w.root == 0 {
			w.root = pid
		}
		text := line[4]
		if first, cut := strings.CutSuffix(text, " <unfinished ...>"); cut {
			unfinished[pid] = call{at: at, text: first}
			continue
		}
		if second := resumedFormat.FindStringSubmatch(text); second != nil {
			first, ok := unfinished[pid]
			if !ok {
				return nil, fmt.Errorf("strace ends a call that it did not begin: %q", lines.Text())
			}
			at, text = first.at, first.text+second[1]
		}
		if err := w.add(pid, call{at: at, text: text}); err != nil {
			return nil, err
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if w.root == 0 {
		return nil, errors.New("strace has written nothing")
	}
	return w, nil
}

// call is a whole line of strace without its pid.
type call struct {
	at   time.Time
	text string
}

// add takes one call, or the end of a process.
func (w *witness) add(pid int, c call) error {
	p := w.process(pid)
	if exited := exitedFormat.FindStringSubmatch(c.text); exited != nil {
		p.ended, p.endedAt, p.exitCode = true, c.at, number(exited[1])
		return nil
	}
	if killed := killedFormat.FindStringSubmatch(c.text); killed != nil {
		number, ok := map[string]syscall.Signal{
			"SIGTERM": syscall.SIGTERM, "SIGKILL": syscall.SIGKILL, "SIGPIPE": syscall.SIGPIPE,
		}[killed[1]]
		if !ok {
			return fmt.Errorf("strace's signal is not known here: %q", c.text)
		}
		p.ended, p.endedAt, p.exitCode = true, c.at, 128+int(number)
		return nil
	}
	// "?" is the result of a call that its process did not live to see.
	result := resultFormat.FindAllStringSubmatch(c.text, -1)
	if len(result) == 0 || number(result[len(result)-1][1]) < 0 {
		return nil
	}
	if !strings.HasPrefix(c.text, "exec") {
		if strings.Contains(c.text, "CLONE_THREAD") {
			return fmt.Errorf("threads are not followed: %q", c.text)
		}
		w.process(number(result[len(result)-1][1])).parent = pid
		return nil
	}
	exec := execFormat.FindStringSubmatch(c.text)
	if exec == nil {
		return fmt.Errorf("strace's line is not understood: %q", c.text)
	}
	file, err := strconv.Unquote(exec[1])
	if err != nil {
		return fmt.Errorf("strace's line is not understood: %q: %w", c.text, err)
	}
	execution := execution{at: c.at, file: file}
	for _, quoted := range stringFormat.FindAllString(exec[2], -1) {
		argument, err := strconv.Unquote(quoted)
		if err != nil {
			return fmt.Errorf("strace's line is not understood: %q: %w", c.text, err)
		}
		execution.args = append(execution.args, argument)
	}
	p.execs = append(p.execs, execution)
	return nil
}

// process returns the process with this pid, a new one at its first mention.
func (w *witness) process(pid int) *witnessed {
	if w.processes[pid] == nil {
		w.processes[pid] = &witnessed{pid: pid}
	}
	return w.processes[pid]
}

// last returns what the process last became.
func (p *witnessed) last() execution { return p.execs[len(p.execs)-1] }

// ancestor returns the nearest ancestor that has executed something, or nil.
func (w *witness) ancestor(p *witnessed) *witnessed {
	for parent := w.processes[p.parent]; parent != nil; parent = w.processes[parent.parent] {
		if len(parent.execs) > 0 {
			return parent
		}
	}
	return nil
}

// tree returns the processes that executed something; those that forked only
// pass their children on to the ancestor that did.
func (w *witness) tree() *node {
	nodes := map[int]*node{}
	for pid, p := range w.processes {
		if len(p.execs) > 0 {
			nodes[pid] = &node{name: filepath.Base(p.last().file), exitCode: p.exitCode}
		}
	}
	for pid, n := range nodes {
		if parent := w.ancestor(w.processes[pid]); parent != nil {
			nodes[parent.pid].children = append(nodes[parent.pid].children, n)
		}
	}
	return nodes[w.root]
}

// number returns the value of decimal digits, which the caller has matched.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		panic(err)
	}
	return n
}
