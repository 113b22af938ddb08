package bpf

import (
	"fmt"
	"io"
	"math/bits"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
)

// grow is a process of a tree: "3 2" starts three, of which each starts two. A "t"
// comes first where other threads begin and end meanwhile.
func grow(what string) {
	if what == "idle" { // a byte; after one of input a child that idles, its pid; until the end of the input
		keepIdle()
	}
	if rest, ok := strings.CutPrefix(what, "t "); ok {
		what = rest
		burnInThreads()
	}
	first, rest, _ := strings.Cut(what, " ")
	n, err := strconv.Atoi(first)
	if err != nil {
		os.Exit(4)
	}
	for range n {
		child := self("exit 0")
		if rest != "" {
			child = self("tree " + rest)
		}
		if child.Run() != nil {
			os.Exit(4)
		}
	}
	os.Exit(0)
}

func keepIdle() {
	_, _ = os.Stdout.Write([]byte{1})
	_, _ = os.Stdin.Read(make([]byte, 1))
	child := self("idle")
	in, _ := child.StdinPipe()
	out, _ := child.StdoutPipe()
	if child.Start() != nil {
		os.Exit(4)
	}
	_, _ = out.Read(make([]byte, 1))
	fmt.Println(child.Process.Pid)
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = in.Close()
	if child.Wait() != nil {
		os.Exit(4)
	}
	os.Exit(0)
}

// named is this binary with another name: a link, or a copy on another file system.
func named(t *testing.T, name, what string) *exec.Cmd {
	t.Helper()
	cmd := self(what)
	path := filepath.Join(t.TempDir(), name)
	if os.Link(cmd.Path, path) != nil {
		binary, err := os.ReadFile(cmd.Path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, binary, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Path = path
	return cmd
}

func rulesTracer(t *testing.T, rules ...Rule) *Tracer {
	t.Helper()
	tr := tracer(t, Options{OnlyDescendants: true, Rules: true})
	if err := tr.SetRules(rules); err != nil {
		t.Fatal(err)
	}
	return tr
}

func run(t *testing.T, cmd *exec.Cmd) (pid int) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", cmd.Args, err, out)
	}
	return cmd.ProcessState.Pid()
}

func wantDropped(t *testing.T, tr *Tracer, want map[string]uint64) {
	t.Helper()
	got, err := tr.Dropped()
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("dropped %v, want %v", got, want)
	}
}

// wantNoTrees checks that no process is left in the map.
func wantNoTrees(t *testing.T, tr *Tracer) {
	t.Helper()
	var key procspanProcessId
	var tree procspanTree
	for entries := tr.objects.Trees.Iterate(); entries.Next(&key, &tree); {
		t.Errorf("pid %d is left: %+v", key.Pid, tree)
	}
	var slots procspanSlotCounts
	if err := tr.objects.TreeSlots.Lookup(uint32(0), &slots); err != nil || slots != (procspanSlotCounts{}) {
		t.Errorf("the counts of a map without entries are not 0 (%v)", err)
	}
	var counter uint32
	for entries := tr.objects.Marks.Iterate(); entries.Next(&key, &counter); {
		t.Errorf("the mark of pid %d is left", key.Pid)
	}
}

// kinds returns what was read of the processes in a tree below a pid, itself included.
func kinds(events []process.Event, root int) (own string, others int) {
	below := map[uint32]bool{uint32(root): true}
	for _, ev := range events {
		switch {
		case ev.ID.PID == uint32(root):
			own += ev.Kind.String() + " "
			if ev.Marked {
				own += "marked "
			}
		case below[ev.Parent.PID]:
			below[ev.ID.PID] = true
			others++
		}
	}
	return own, others
}

// A marked process is reported, and nothing below it; all of that is counted.
func TestDropTree(t *testing.T) {
	tr := rulesTracer(t, Rule{Name: "noise", Drop: true, Executable: []Text{{Text: "noisy-root"}}})
	dropped := uint64(0)
	for _, tc := range []struct {
		name    string
		what    string
		dropped uint64
	}{
		{"a leaf", "exit 0", 0},
		{"children", "tree 3", 3},
		{"three generations", "tree 2 3 2", 2 + 2*3 + 2*3*2},
		{"threads", "tree t 2 1", 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := run(t, named(t, "noisy-root", tc.what))
			other := run(t, self("tree 2"))
			events := rest(t, tr)
			if own, below := kinds(events, root); own != "fork exec marked exit " || below != 0 {
				t.Errorf("of the root it reported %q, and %d events below it", own, below)
			}
			if own, below := kinds(events, other); own != "fork exec exit " || below < 6 {
				t.Errorf("of another process it reported %q, and %d events below it, want 6 or more", own, below)
			}
			dropped += tc.dropped
			wantDropped(t, tr, map[string]uint64{"noise": dropped})
			wantNoTrees(t, tr)
		})
	}
}

// A process below a marked one is not listed, so that no sweep takes it for lost.
func TestDroppedIsNotListed(t *testing.T) {
	tr := rulesTracer(t)
	parent := self("tree idle")
	in, err := parent.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	is := func(pid int) func(process.Living) bool {
		return func(p process.Living) bool { return p.ID.PID == uint32(pid) }
	}
	list := func() []process.Living {
		t.Helper()
		all, err := tr.Running()
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	all := list()
	id := all[slices.IndexFunc(all, is(parent.Process.Pid))].ID
	if err := tr.MarkTree(id, "by the agent"); err != nil {
		t.Fatal(err)
	}
	if marked, err := tr.Marked(); err != nil || !slices.Equal(marked, []process.ID{id}) {
		t.Errorf("marked are %v (%v), want %v", marked, err, id)
	}
	if _, err := in.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Fscan(out, &child); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(list(), is(child)) {
		t.Errorf("pid %d, which is dropped, is listed", child)
	}
	if err := tr.UnmarkTree(id); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(list(), is(child)) {
		t.Errorf("pid %d, which was dropped, is listed once its parent is not marked any more", child)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := parent.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := tr.Detach(); err != nil {
		t.Fatal(err)
	}
	if got := of(rest(t, tr), child); len(got) > 0 {
		t.Errorf("of the child it reported %+v", got)
	}
	wantDropped(t, tr, map[string]uint64{"by the agent": 1})
	wantNoTrees(t, tr)
}

// The first rule that matches counts; one that does not drop leaves the process to the
// agent.
func TestRules(t *testing.T) {
	yes, no := true, false
	const long = "a-name-of-more-than-15-bytes"
	drop := func(texts ...Text) []Rule { return []Rule{{Name: "drop", Drop: true, Executable: texts}} }
	pass := func(texts ...Text) []Rule {
		return []Rule{{Executable: texts}, {Name: "drop", Drop: true}}
	}
	tr := rulesTracer(t)
	for _, tc := range []struct {
		name   string
		rules  []Rule
		file   string
		marked bool
	}{
		{"none", nil, "file", false},
		{"every executable", drop(), "file", true},
		{"by name", drop(Text{Text: "file"}), "file", true},
		{"another name", drop(Text{Text: "fil"}), "file", false},
		{"one of many", drop(Text{Text: "a"}, Text{Text: "b"}, Text{Text: "file"}), "file", true},
		{"prefix", drop(Text{Text: "fi", Form: Prefix}), "file", true},
		{"another prefix", drop(Text{Text: "fo", Form: Prefix}), "file", false},
		{"suffix is left to the agent", drop(Text{Text: "le", Form: Suffix}), "file", false},
		{"long name", drop(Text{Text: long}), long, true},
		{"15 bytes are not the name", drop(Text{Text: long[:15]}), long, false},
		{"but its prefix", drop(Text{Text: long[:15], Form: Prefix}), long, true},
		{"long prefix", drop(Text{Text: long[:20], Form: Prefix}), long, true},
		{"path", drop(Text{Path: true, Text: "/DIR/file"}), "file", true},
		{"path of another directory", drop(Text{Path: true, Text: "/tmp/file"}), "file", false},
		{"end of a path", drop(Text{Path: true, Form: Suffix, Text: "/" + "BASE/file"}), "file", true},
		{"beginning of a path is left to the agent", drop(Text{Path: true, Form: Prefix, Text: "/"}), "file", false},
		{"pass by name", pass(Text{Text: "file"}), "file", false},
		{"pass another", pass(Text{Text: "other"}), "file", true},
		{"pass a suffix: all", pass(Text{Text: "x", Form: Suffix}), "file", false},
		{"pass a long name", pass(Text{Text: long}), long, false},
		{"pass a path by its name", pass(Text{Path: true, Text: "/elsewhere/file"}), "file", false},
		{"own user", []Rule{{Name: "drop", Drop: true, Users: []uint32{uint32(os.Geteuid())}}}, "file", true},
		{"another user", []Rule{{Name: "drop", Drop: true, Users: []uint32{4242}}}, "file", false},
		{"interactive", []Rule{{Name: "drop", Drop: true, Interactive: &yes}}, "file", false},
		{"not interactive", []Rule{{Name: "drop", Drop: true, Interactive: &no}}, "file", true},
		{"the 64th rule", append(slices.Repeat([]Rule{{Executable: []Text{{Text: "x"}}}}, MaxRules-1), drop(Text{Text: "file"})...), "file", true},
		{"the 65th rule is left to the agent", append(slices.Repeat([]Rule{{Executable: []Text{{Text: "x"}}}}, MaxRules), drop(Text{Text: "file"})...), "file", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd := named(t, tc.file, "exit 0")
			cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
			for i := range tc.rules {
				tc.rules[i].Executable = slices.Clone(tc.rules[i].Executable)
				for j := range tc.rules[i].Executable {
					text := &tc.rules[i].Executable[j].Text
					*text = strings.Replace(*text, "/DIR", filepath.Dir(cmd.Path), 1)
					*text = strings.Replace(*text, "BASE", filepath.Base(filepath.Dir(cmd.Path)), 1)
				}
			}
			if err := tr.SetRules(tc.rules); err != nil {
				t.Fatal(err)
			}
			pid := run(t, cmd)
			for _, ev := range of(rest(t, tr), pid) {
				if ev.Kind == process.Exec && ev.Marked != tc.marked {
					t.Errorf("executed %s: marked %t, want %t", ev.Image.Executable, ev.Marked, tc.marked)
				}
			}
			wantNoTrees(t, tr)
		})
	}
}

// The first two bytes of a text, and no others, make the BPF programs look it up.
func TestBegin(t *testing.T) {
	for _, tc := range []struct {
		key    string
		begins []string
		number int
	}{
		{"", []string{"\x00\x00", "\xff\xff", "no"}, 1 << 16},
		{"n", []string{"n\x00", "no", "n\xff"}, 1 << 8},
		{"n\x00", []string{"n\x00"}, 1},
		{"no", []string{"no"}, 1},
		{"sh\x00", []string{"sh"}, 1},
		{"\xff\xfe\x00", []string{"\xff\xfe"}, 1},
	} {
		var c compiled
		c.begin(tc.key)
		set := 0
		for _, word := range c.set.Begin {
			set += bits.OnesCount64(word)
		}
		if set != tc.number {
			t.Errorf("%q: %d pairs of bytes, want %d", tc.key, set, tc.number)
		}
		for _, b := range tc.begins {
			if bit := int(b[0])<<8 | int(b[1]); c.set.Begin[bit/64]>>(bit%64)&1 == 0 {
				t.Errorf("%q: not %q", tc.key, b)
			}
		}
	}
}
