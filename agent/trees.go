package agent

import (
	"log/slog"
	"maps"
	"time"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/rules"
)

// treeDropper is the part of the BPF programs that drops what is forked below a mark.
type treeDropper interface {
	SetRules([]bpf.Rule) error
	MarkTree(id process.ID, rule string) error
	UnmarkTree(id process.ID) error
	Marked() ([]process.ID, error)
	Dropped() (map[string]uint64, error)
}

// trees keeps the events of dropped trees from the agent. The table decides which
// process is dropped with its tree; the BPF programs mark those that they know by their
// own rules, and the agent marks the rest. What it cannot mark, it drops itself.
type trees struct {
	log    *slog.Logger
	kernel treeDropper // nil: the programs report everything
	// ready: the table is restored, and the marks fit it.
	ready bool
	// marked has those that the agent marked and whose exit is still to come.
	marked map[process.ID]struct{}
	// before is what the BPF programs had dropped when the agent began.
	before map[string]uint64
	warned time.Time
	// last is what dropped returns after end.
	last map[string]uint64
}

// begin makes the BPF programs follow the rules; the table has the running processes.
func (t *trees) begin(table *process.Table, set []bpf.Rule) {
	if t.kernel == nil {
		return
	}
	t.ready, t.marked = true, make(map[process.ID]struct{})
	var err error
	if t.before, err = t.kernel.Dropped(); err != nil {
		t.warn(err)
	}
	t.follow(table, set)
}

// follow makes the BPF programs follow other rules, by which the table has judged.
func (t *trees) follow(table *process.Table, set []bpf.Rule) {
	if t.kernel == nil {
		return
	}
	if err := t.kernel.SetRules(set); err != nil {
		t.warn(err)
	}
	marked, err := t.kernel.Marked()
	if err != nil {
		t.warn(err)
	}
	has := make(map[process.ID]bool, len(marked))
	for _, id := range marked {
		if r := table.DroppedTree(id); r != nil && !r.KeepFailed {
			has[id] = true
			continue
		}
		t.unmark(id)
	}
	for id, r := range table.DroppedTrees() {
		if !r.KeepFailed && !has[id] {
			t.mark(id, r.Rule)
		}
	}
}

// executed follows what the table has decided at an exec.
func (t *trees) executed(ev *process.Event, table *process.Table) {
	if !t.ready {
		return
	}
	switch r := table.DroppedTree(ev.ID); {
	case r != nil && !r.KeepFailed && !ev.Marked:
		t.mark(ev.ID, r.Rule)
	case (r == nil || r.KeepFailed) && ev.Marked: // by rules that are no longer in force
		t.unmark(ev.ID)
	}
}

// ended forgets a process.
func (t *trees) ended(id process.ID) {
	if _, ok := t.marked[id]; ok { // it may have ended before it was marked
		t.unmark(id)
	}
}

func (t *trees) mark(id process.ID, rule string) {
	if err := t.kernel.MarkTree(id, rule); err != nil {
		t.warn(err)
		return
	}
	t.marked[id] = struct{}{}
}

func (t *trees) unmark(id process.ID) {
	delete(t.marked, id)
	if err := t.kernel.UnmarkTree(id); err != nil {
		t.warn(err)
	}
}

// warn logs that the agent has more to do.
func (t *trees) warn(err error) {
	if time.Since(t.warned) > lossLogEvery {
		t.warned = time.Now()
		t.log.Warn("BPF programs report dropped processes, which the agent drops", "error", err)
	}
}

// end ends the use of the BPF programs; what they have dropped is counted.
func (t *trees) end() {
	t.last, _ = t.dropped()
	t.ready = false
}

// dropped returns how many processes the BPF programs have dropped since the agent
// began, by rule, and their sum.
func (t *trees) dropped() (byRule map[string]uint64, sum uint64) {
	byRule = make(map[string]uint64)
	if t.ready {
		all, err := t.kernel.Dropped()
		if err != nil {
			t.warn(err)
		}
		for rule, n := range all {
			byRule[rule] = n - t.before[rule]
		}
	}
	maps.Copy(byRule, t.last)
	for _, n := range byRule {
		sum += n
	}
	return byRule, sum
}

// kernelRules returns what the BPF programs can decide of rules.
func kernelRules(set rules.Set) (all []bpf.Rule) {
	if len(set) == 0 {
		return nil
	}
	for _, k := range set.Kernel(hostUsers().ID) {
		r := bpf.Rule{Name: set.Title(k.Rule), Drop: k.Drop, Interactive: k.Interactive}
		for _, text := range k.Executable {
			r.Executable = append(r.Executable, bpf.Text{Path: text.Path, Form: forms[text.Form], Text: text.Text})
		}
		for _, user := range k.User {
			r.Users = append(r.Users, user.ID)
		}
		all = append(all, r)
	}
	return all
}

var forms = [...]bpf.Form{rules.Exact: bpf.Exact, rules.Prefix: bpf.Prefix, rules.Suffix: bpf.Suffix}
