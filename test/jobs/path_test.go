package jobs

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	// undisturbed is how much longer a sleep may take than it says, and a start, for
	// a run to count: what it costs on a machine that is not overloaded.
	undisturbed = 60 * time.Millisecond
	// noticeable is the least that a piece of work holds of a path to be looked at.
	// All sleeps are much longer.
	noticeable = 70 * time.Millisecond
	// attempts bounds the runs of a job that is disturbed.
	attempts = 5
)

// steady runs a job until a run is not disturbed, and returns the last one.
func steady(t *testing.T, dir string, command ...string) *job {
	t.Helper()
	for attempt := 1; ; attempt++ {
		j := run(t, dir, command...)
		off := j.disturbed()
		if off < undisturbed || attempt == attempts {
			return j
		}
		t.Logf("attempt %d: a work took %v longer than it says, or a shell to start one", attempt, off)
	}
}

// works are the pieces of work on the path, with their arguments, in order.
// What glues them together, such as shells, is not: nobody knows how long that
// takes.
func (j *job) works() (all []string) {
	var held time.Duration
	for i, s := range j.Path {
		p := j.Processes[s.Process]
		if _, ok := p.says(); !ok {
			continue
		}
		if i > 0 && j.Path[i-1].Process != s.Process {
			held = 0
		}
		held += s.Duration
		words := p.Name + " " + strings.Join(p.Args[1:], " ")
		if held >= noticeable && (len(all) == 0 || all[len(all)-1] != words) {
			all = append(all, words)
		}
	}
	return all
}

const serialMake = `
all: 3
1: ; ./one 0.2
2: 1 ; ./two 0.2
3: 2 ; ./link 0.15
`

// TestPath holds that the critical path is the known one.
func TestPath(t *testing.T) {
	needRoot(t)
	for _, c := range []struct {
		name     string
		files    map[string]string
		programs string
		command  []string
		// want is the work on the path; a leading ! marks what must be proved, and a
		// ? what must not be: nobody can see it.
		want []string
		// left is what outlives the job.
		left []string
		// next is how the segments of a process lead on.
		next map[string]string
	}{
		{
			name: "serial", files: script("./a 0.2; ./b 0.3; ./c 0.2"), programs: "a b c",
			want: []string{"!a 0.2", "!b 0.3", "!c 0.2"},
		},
		{
			name: "serial in bash", files: map[string]string{"job": "#!/bin/bash\n./a 0.2 && ./b 0.3\nif ./c 0.2; then :; fi\n"}, programs: "a b c",
			want: []string{"!a 0.2", "!b 0.3", "!c 0.2"},
		},
		{
			name: "scripts in scripts", files: map[string]string{"job": "#!/bin/sh\n./inner 1\n./c 0.2\n", "inner": "#!/bin/sh\n./a 0.2\n( ./b 0.2; : )\n"}, programs: "a b c",
			want: []string{"!a 0.2", "!b 0.2", "!c 0.2"},
		},
		{
			name: "command substitution", files: script("x=$(./a 0.2; echo x); ./b 0.2"), programs: "a b",
			want: []string{"a 0.2", "!b 0.2"},
		},
		{
			name: "wrappers that become their command", files: script("env nice ./a 0.2\ntimeout 20 ./b 0.3"), programs: "a b",
			want: []string{"!a 0.2", "b 0.3"},
		},
		{
			name: "pipeline, the first is slow", files: script("./slow 0.4 | cat"), programs: "slow",
			want: []string{"?slow 0.4"},
		},
		{
			name: "pipeline, the last is slow", files: script("cat </dev/null | ./slow 0.4"), programs: "slow",
			want: []string{"!slow 0.4"},
		},
		{
			name: "pipeline, the first is slow, with work behind it", files: script("./slow 0.3 | cat | cat\n./after 0.2"), programs: "slow after",
			want: []string{"?slow 0.3", "!after 0.2"},
		},
		{
			name: "pipeline in bash", files: map[string]string{"job": "#!/bin/bash\n./slow 0.3 | cat | sort >/dev/null\n./after 0.2\n"}, programs: "slow after",
			want: []string{"?slow 0.3", "!after 0.2"},
		},
		{
			name: "background with wait", files: script("./back 0.5 & ./fore 0.2; wait"), programs: "back fore",
			want: []string{"back 0.5"},
		},
		{
			name: "background with wait, the other is longer", files: script("./back 0.2 & ./fore 0.5; wait"), programs: "back fore",
			want: []string{"!fore 0.5"},
		},
		{
			name: "background without wait", files: script("./back 0.9 & ./fore 0.2"), programs: "back fore",
			want: []string{"!fore 0.2"}, left: []string{"back 0.9"},
		},
		{
			name: "background that ends early, without wait", files: script("./back 0.2 & ./fore 0.5"), programs: "back fore",
			want: []string{"!fore 0.5"},
		},
		{
			name: "daemon", files: script("./daemon ./service 0.9; ./fore 0.3"), programs: "daemon service fore",
			want: []string{"!fore 0.3"}, left: []string{"service 0.9"},
		},
		{
			name: "double fork", files: script("(./service 0.9 &) ; ./fore 0.3"), programs: "service fore",
			want: []string{"!fore 0.3"}, left: []string{"service 0.9"},
		},
		{
			name: "a session of its own", files: script("setsid ./service 0.9 & ./fore 0.3"), programs: "service fore",
			want: []string{"!fore 0.3"}, left: []string{"service 0.9"},
		},
		{
			name: "a session of its own that ends before the job", files: script("setsid ./service 0.2 & ./fore 0.3; ./fore 0.2"), programs: "service fore",
			want: []string{"!fore 0.3", "!fore 0.2"},
		},
		{
			name: "make", files: map[string]string{"Makefile": serialMake}, programs: "one two link", command: []string{"make"},
			want: []string{"!one 0.2", "!two 0.2", "!link 0.15"},
		},
		{
			name: "make -j2 with a long job", programs: "long a b c", command: []string{"make", "-j2"},
			files: map[string]string{"Makefile": "all: 1 2 3\n1: ; ./long 0.8\n2: ; ./a 0.2\n3: ; ./b 0.2\n"},
			want:  []string{"long 0.8"},
		},
		{
			name: "make -j2, a slot and then a link", programs: "cc1 cc2 cc3 ld", command: []string{"make", "-j2"},
			files: map[string]string{"Makefile": "all: 1 2 3 ; ./ld 0.2\n1: ; ./cc1 0.2\n2: ; ./cc2 0.3\n3: ; ./cc3 0.4\n"},
			want:  []string{"cc1 0.2", "cc3 0.4", "!ld 0.2"},
			next:  map[string]string{"cc1 0.2": "slot"},
		},
		{
			name: "nested make with a jobserver", programs: "cc1 cc2 cc3 ldx ldy ld", command: []string{"make", "-j2"},
			files: map[string]string{
				"Makefile": "all: x y ; ./ld 0.2\nx y: ; +$(MAKE) -f $@.mk\n",
				"x.mk":     "all: 1 ; ./ldx 0.1\n1: ; ./cc1 0.1\n",
				"y.mk":     "all: 2 3 ; ./ldy 0.3\n2: ; ./cc2 0.5\n3: ; ./cc3 0.1\n",
			},
			want: []string{"cc2 0.5", "ldy 0.3", "!ld 0.2"},
		},
		{
			name: "xargs -P", files: map[string]string{"list": "0.2\n0.7\n0.2\n"}, programs: "task",
			command: []string{"xargs", "-a", "list", "-P2", "-n1", "./task"},
			want:    []string{"!task 0.7"},
		},
		{
			name: "xargs -P with a slot", files: map[string]string{"list": "0.2\n0.3\n0.4\n"}, programs: "task",
			command: []string{"xargs", "-a", "list", "-P2", "-n1", "./task"},
			want:    []string{"!task 0.2", "!task 0.4"},
			next:    map[string]string{"task 0.2": "slot"},
		},
		{
			name: "threads that wait", programs: "threads a b c", command: []string{"./threads", "./a 0.2", "./b 0.5", "./c 0.3"},
			want: []string{"!b 0.5"},
		},
		{
			name: "ninja", programs: "cc1 cc2 cc3 ld", command: []string{"ninja", "-j2"},
			files: map[string]string{"build.ninja": ninjaFile},
			want:  []string{"cc1 0.2", "cc3 0.4", "ld 0.2"},
			next:  map[string]string{"sh -c ./cc1 0.2": "slot"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // they sleep
			command := c.command
			if command == nil {
				command = []string{"./job"}
			}
			need(t, command[0])
			j := steady(t, workplace(t, c.files, strings.Fields(c.programs)...), command...)
			var want []string
			for _, w := range c.want {
				want = append(want, strings.TrimLeft(w, "!?"))
			}
			if got := j.works(); !slices.Equal(got, want) {
				t.Errorf("the path goes through %q, want %q", got, want)
			}
			for _, w := range c.want {
				j.checkProved(t, w)
			}
			for words, next := range c.next {
				j.checkNext(t, words, next)
			}
			for _, p := range j.Processes {
				words := p.Name + " " + strings.Join(p.Args[min(1, len(p.Args)):], " ")
				if want := slices.Contains(c.left, words); p.LeftBehind != want {
					t.Errorf("%s was left behind: %v, want %v", words, p.LeftBehind, want)
				}
				if p.LeftBehind && p.Join != "background" {
					t.Errorf("%s was left behind, and something waited for it: %s", words, p.Join)
				}
			}
			if t.Failed() {
				j.print(t)
			}
		})
	}
}

const ninjaFile = `
rule run
  command = ./$name $time
build 1: run
  name = cc1
  time = 0.2
build 2: run
  name = cc2
  time = 0.3
build 3: run
  name = cc3
  time = 0.4
build all: run 1 2 3
  name = ld
  time = 0.2
`

// script is a job that is one shell script.
func script(lines string) map[string]string {
	return map[string]string{"job": "#!/bin/sh\n" + lines + "\n:\n"}
}

// checkProved checks the marks of what is on the path.
func (j *job) checkProved(t *testing.T, marked string) {
	t.Helper()
	words := strings.TrimLeft(marked, "!?")
	for _, s := range j.Path {
		if s.Process == j.find(words) && s.Duration >= noticeable {
			if marked[0] == '!' && !s.Proved || marked[0] == '?' && s.Proved {
				t.Errorf("the time of %s on the path is proved: %v", words, s.Proved)
			}
		}
	}
}

// checkNext checks what the last segment of a process led to.
func (j *job) checkNext(t *testing.T, words, want string) {
	t.Helper()
	got := ""
	for _, s := range j.Path {
		if s.Process == j.find(words) {
			got = s.Next
		}
	}
	if got != want {
		t.Errorf("the end of %s led to %q, want %q", words, got, want)
	}
}

// print logs what is needed to understand a failure.
func (j *job) print(t *testing.T) {
	for i, p := range j.Processes {
		parent := -1
		if p.Parent != nil {
			parent = *p.Parent
		}
		t.Logf("%2d ‹ %2d %8v +%8v %-10s %s %q", i, parent, p.Start.Round(1e5), p.Duration.Round(1e5), p.Join, p.Name, p.Args)
	}
	for _, s := range j.Path {
		t.Logf("path %8v +%8v %s (%d) proved %v next %s", s.Start.Round(1e5), s.Duration.Round(1e5), s.Name, s.Process, s.Proved, s.Next)
	}
}

// need skips where a program that jobs run is not installed.
func need(t testing.TB, program string) {
	t.Helper()
	if strings.HasPrefix(program, "./") {
		return
	}
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("not installed: %v", err)
	}
}
