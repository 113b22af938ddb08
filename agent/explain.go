package agent

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/enrich"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/rules"
)

// Explained is what rules make of a process.
type Explained struct {
	// Name is that of the process, Rules says of each rule whether it matches.
	Name  string
	Rules []rules.Explanation
	// Ruling is what they decide while it runs; nil is nothing.
	Ruling *process.Ruling
}

// ExplainProcess returns what the rules make of a running process.
func ExplainProcess(c config.Config, pid int) (Explained, error) {
	return explain(c, uint32(pid), nil)
}

// ExplainCommand returns what the rules make of a command that the process which started
// this one would start, with its environment.
func ExplainCommand(c config.Config, command []string) (Explained, error) {
	path, err := exec.LookPath(command[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return Explained{}, err
	}
	im := &process.Image{Filename: path, Args: strings.Join(command, "\x00") + "\x00", ArgsCount: len(command)}
	if im.Executable, err = filepath.EvalSymlinks(path); err != nil {
		return Explained{}, err
	}
	for _, name := range searchedVariables(c) {
		if value, ok := os.LookupEnv(name); ok {
			im.Environment += name + "=" + value + "\x00"
		}
	}
	return explain(c, uint32(os.Getpid()), im)
}

// explain lets a table judge a process and its ancestors. If im is set, it is what the
// process executes.
func explain(c config.Config, pid uint32, im *process.Image) (Explained, error) {
	proc, cgroups := enrich.NewProc("/proc"), otelexport.NewCgroups()
	var lineage []process.Living
	for next := pid; next != 0; next = lineage[len(lineage)-1].Parent.PID {
		l, err := proc.Living(next, c.Capture.ArgsMaxBytes, searchedVariables(c))
		if len(lineage) == 0 && err != nil {
			return Explained{}, fmt.Errorf("read process %d: %w; %s", next, err, procHint(err))
		}
		if err != nil {
			break // the rest is not known
		}
		v2, v1, _ := proc.Cgroup(l.ID)
		id := 2 + 2*uint64(len(lineage)) // the ids of cgroups are their paths'
		l.Groups.Cgroup = process.Cgroup{V2: id, V1: id + 1}
		cgroups.Named(id, v2)
		cgroups.Named(id+1, v1)
		lineage = append(lineage, l)
		if len(lineage) > 1 {
			lineage[len(lineage)-2].Parent = l.ID
		}
	}
	policy, err := newPolicy(c, cgroups)
	if err != nil {
		return Explained{}, err
	}
	table := process.NewTable(process.Limits{Processes: 1 << 20, Bytes: maxImageBytes}, policy, process.NewIDs(""))
	self := lineage[0]
	table.Adopt(slices.Clone(lineage))
	if im != nil {
		table.Apply(&process.Event{
			Kind: process.Exec, At: self.ID.Start, ID: self.ID, Parent: self.Parent, ExecID: self.ExecID + 1,
			Groups: self.Groups, Credentials: self.Credentials, Namespaces: self.Namespaces, VPID: self.VPID, Image: *im,
		})
	}
	candidate, ruling := table.Candidate(self.ID)
	if candidate == nil {
		return Explained{}, fmt.Errorf("process %d runs no program", pid)
	}
	explained := Explained{Name: candidate.Image.Name(), Ruling: ruling}
	if compiled, ok := policy.Rules.(*rules.Compiled); ok {
		explained.Rules = compiled.Explain(candidate)
	}
	return explained, nil
}

// Places returns where each rule of a configuration is decided.
func Places(c config.Config) []rules.Place {
	return c.Rules.Places(hostUsers().ID)
}
