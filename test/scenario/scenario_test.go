package scenario

import (
	"slices"
	"testing"
)

// told is a scenario and what its spans are to tell.
type told struct {
	scenario string
	args     []string
	want     []want
	check    func(t *testing.T, people map[string]Span)
}

// TestTruth plays every scenario and compares its spans, field by field, with
// what the scenario and the test know.
func TestTruth(t *testing.T) {
	o := observe(t)
	longName := "\uFFFD\n"
	for range 253 {
		longName += "x"
	}
	played := append(inTraces(), "lives", "older", "worker") // elsewhere
	for _, test := range slices.Concat([]told{
		// The ways to end.
		{scenario: "exit 0", want: []want{{label: "child", name: "exit"}}},
		{scenario: "exit 1", want: []want{{label: "child", name: "exit", code: 1}}},
		{scenario: "exit 255", want: []want{{label: "child", name: "exit", code: 255}}},
		{scenario: "exit 256", want: []want{{label: "child", name: "exit"}}},
		{scenario: "die by TERM", want: []want{{label: "child", name: "die", code: 143, signal: "SIGTERM", killer: "child"}}},
		{scenario: "die by KILL", want: []want{{label: "child", name: "die", code: 137, signal: "SIGKILL", killer: "child"}}},
		{scenario: "die with core", want: []want{{label: "child", name: "fault", code: 139, signal: "SIGSEGV", core: true}}},
		{scenario: "leader leaves", want: []want{{label: "child", name: "leaderless", code: 7}}, check: atLeast(150)},
		// Before Linux 6.0 the status is that of the first thread, not the last.
		{scenario: "last thread exits", want: []want{{label: "child", name: "unanimous", code: 9, or: 3}}, check: atLeast(150)},
		{scenario: "exit among threads", want: []want{{label: "child", name: "crowd", code: 4}}},
		{scenario: "killed without leader", want: []want{{label: "child", name: "headless", code: 143, signal: "SIGTERM", killer: "scenario"}}},
		{scenario: "last threads", args: []string{"500"}, want: []want{{label: "life *", name: "twins"}}},

		// The ways to become another program.
		{scenario: "exec from thread", want: []want{{label: "child", name: "second", code: 5, execs: []string{"second"}}}},
		{scenario: "exec without leader", want: []want{{label: "child", name: "second", code: 5, execs: []string{"second"}}}},
		{scenario: "exec thrice", want: []want{{label: "child", name: "c", code: 6, execs: []string{"b", "c"}}}},
		{scenario: "vfork exec", want: []want{{label: "child", name: "vforked", code: 2}}},
		{scenario: "fork only"},
		{scenario: "failed exec"},
		{scenario: "failed reexec", want: []want{{label: "child", name: "steady", code: 3}}},

		// What is executed.
		{scenario: "script", want: []want{{label: "child", name: "script", code: 1}}},
		{scenario: "script by env", want: []want{{label: "child", name: "script", code: 1, execs: []string{"interpreter"}}}},
		{scenario: "script of directory", want: []want{{label: "child", name: "script", code: 1}}},
		{scenario: "symlink", want: []want{{label: "child", name: "link"}}},
		{scenario: "strange name", want: []want{{label: "child", name: longName}}},
		{scenario: "deleted later", want: []want{{label: "child", name: "doomed"}}},
		{scenario: "deleted before", want: []want{{label: "child", name: "gone"}}},
		{scenario: "memfd", want: []want{{label: "child", name: "memfd:ghost", code: 8}}},
		{scenario: "setuid", want: []want{{label: "child", name: "setuid"}}},
		{scenario: "many arguments", want: []want{{label: "child", name: "args", cut: true}}},
		{scenario: "one long argument", want: []want{{label: "child", name: "args", cut: true}}},
		{scenario: "strange arguments", want: []want{{label: "child", name: "args"}}, check: func(t *testing.T, spans map[string]Span) {
			args, _ := spans["child"].Attr("process.command_args").([]string)
			if want := []string{"not \uFFFD UTF-8 \uFFFD(", "", "a\nb\tc", "🐧", "\uFFFD"}; !slices.Equal(args, want) {
				t.Errorf("arguments are %q, want %q", args, want)
			}
		}},
		{scenario: "no arguments", want: []want{{label: "child", name: "nameless"}}},

		// Where from.
		{scenario: "subshell", want: []want{{label: "shell", name: "shell", waits: []string{"outer"}}, {label: "child", name: "command", code: 1, under: "shell"}}},
		{scenario: "daemon", want: []want{{label: "origin", name: "origin", waits: []string{"middle"}}, {label: "daemon", name: "service", code: 5, under: "origin"}}},
		{scenario: "daemon of reaper", want: []want{{label: "origin", name: "origin", waits: []string{"middle"}}, {label: "daemon", name: "service", code: 5, under: "origin"}}},
		{scenario: "clone parent", want: []want{{label: "maker", name: "maker"}, {label: "child", name: "command", code: 1, under: "maker"}}},
		{scenario: "fork from thread", want: []want{{label: "maker", name: "maker", waits: []string{"child"}}, {label: "child", name: "command", code: 1, under: "maker"}}},

		// Where.
		{scenario: "chroot", want: []want{{label: "child", name: "prog"}}},
		{scenario: "mount namespace", want: []want{{label: "child", name: "prog"}}},
		{scenario: "pivot root", want: []want{{label: "child", name: "prog"}}},
		{scenario: "namespaces", want: []want{{label: "child", name: "apart"}}, check: allApart},
		{scenario: "deep directory", want: []want{{label: "child", name: "prog"}}},
		{scenario: "deepest directory", want: []want{{label: "child", name: "prog", far: true}}},
		{scenario: "root directory", want: []want{{label: "child", name: "prog"}}},
		{scenario: "removed directory", want: []want{{label: "child", name: "prog"}}},

		// The same pid again.
		{scenario: "pid namespace", want: []want{{label: "first", name: "first", code: 1}, {label: "second", name: "second", code: 2}}},
		{scenario: "pid again", want: []want{{label: "first", name: "first", code: 1}, {label: "second", name: "second", code: 2}}, check: samePID},
	}, facts(newCgroup(t)), uses(), kills(t, newCgroup(t))) {
		played = append(played, test.scenario)
		t.Run(test.scenario, func(t *testing.T) { o.tell(t, test) })
	}
	slices.Sort(played)
	if names := Names(); !slices.Equal(played, names) {
		t.Errorf("played %q, want %q", played, names)
	}
}

// tell plays a scenario, and compares.
func (o *observer) tell(t *testing.T, test told) {
	spans := o.compare(t, o.play(t, test.scenario, test.args...), test.want)
	if test.check != nil && !t.Failed() {
		test.check(t, spans)
	}
}

// TestOlder plays a scenario that begins before the agent does.
func TestOlder(t *testing.T) {
	p := start(t, ownExe(t), "older")
	if line, err := p.stdout.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the scenario said %q (%v), want ready", line, err)
	}
	o := observe(t)
	o.compare(t, p.finish(t), []want{
		{label: "steady", name: "steady", code: 5, root: true},
		{label: "changing", name: "after", code: 6, root: true, execs: []string{"after"}},
		{label: "disguised", name: "mask", code: 10, root: true},
		{label: "struck", name: "victim", code: 137, signal: "SIGKILL", killer: "forked", root: true},
		{label: "late", name: "lately", code: 7, root: true},
		{label: "younger", name: "young", code: 9, root: true},
	})
}

// atLeast checks that the child's span is no shorter than so many milliseconds.
func atLeast(ms int64) func(*testing.T, map[string]Span) {
	return func(t *testing.T, spans map[string]Span) {
		child := spans["child"]
		if took := int64(child.EndTimeUnixNano - child.StartTimeUnixNano); took < ms*1e6 {
			t.Errorf("the span is %d ns long, want at least %d ms", took, ms)
		}
	}
}

// samePID checks that two processes had one pid, and that nothing joins them.
func samePID(t *testing.T, spans map[string]Span) {
	first, second := spans["first"], spans["second"]
	if first.PID != second.PID || first.ID() == second.ID() || first.EndTimeUnixNano > second.StartTimeUnixNano {
		t.Errorf("got %v and %v; want only the pid to be the same", first, second)
	}
}
