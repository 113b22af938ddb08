package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"go.yaml.in/yaml/v4"

	"github.com/procspan/procspan/process"
)

// anyName is the name that stands for every process.
const anyName = "*"

// ExpectedExits says which ends of a process are no failure, by its name as
// process.Lifetime.Name has it. Those of "*" hold for every process, beside its
// own.
type ExpectedExits map[string]Exits

// Exits are ends of a process: an exit code, which is that of a signal too
// (128+n), or a signal alone.
type Exits []process.Status

// DefaultExpectedExits returns the ends that are answers: "no match", "they
// differ", "it is false"; and that of a writer whose reader has left. Programs
// that say the same by an exit code that can also be a failure (git, dpkg,
// systemctl) are not among them.
func DefaultExpectedExits() ExpectedExits {
	e := ExpectedExits{
		anyName:  {process.Status(syscall.SIGPIPE)},
		"getent": {exitCode(2)},
	}
	for _, name := range []string{"[", "cmp", "diff", "egrep", "expr", "fgrep", "grep", "pgrep", "pidof",
		"rg", "test", "tty", "which", "zgrep"} {
		e[name] = Exits{exitCode(1)}
	}
	return e
}

func exitCode(n int) process.Status { return process.Status(n << 8) }

// Expects reports whether it is no failure when the process of that name ends
// like this.
func (e ExpectedExits) Expects(name string, end process.Status) bool {
	return e[name].has(end) || e[anyName].has(end)
}

func (e Exits) has(end process.Status) bool {
	return slices.ContainsFunc(e, func(expected process.Status) bool {
		if signal := expected.Signal(); signal != 0 {
			return signal == end.Signal()
		}
		return expected.ExitCode() == end.ExitCode()
	})
}

// String returns the ends as they stand in the file.
func (e Exits) String() string {
	texts := make([]string, len(e))
	for i, end := range e {
		if texts[i] = end.SignalName(); texts[i] == "" {
			texts[i] = strconv.Itoa(end.ExitCode())
		}
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// expectedExits reads lists of ends by name. One that is given replaces that of
// the same name.
func (s section) expectedExits(e ExpectedExits) {
	for _, name := range slices.Sorted(maps.Keys(s.fields)) {
		if name == "" || len(name) > maxFileName || strings.ContainsAny(name, "/\x00") {
			s.fail(name, `must be the name of a file without its directory, or "*" for all (got %s)`, quote(name))
			continue
		}
		if items, ok := s.list(name); ok {
			e[name] = s.exits(name, items)
		}
	}
}

func (s section) exits(key string, items []*yaml.Node) (exits Exits) {
	for i, item := range items {
		if item.Kind == yaml.AliasNode {
			continue
		}
		end, problem := exit(item)
		if problem == "" && slices.Contains(exits, end) {
			problem = fmt.Sprintf("is given twice (got %s)", found(item, false))
		}
		if problem != "" {
			s.w.fail(item, itemPath(s.path, key, i), "%s", problem)
			continue
		}
		exits = append(exits, end)
	}
	return exits
}

// exit reads an exit code or the name of a signal.
func exit(n *yaml.Node) (end process.Status, problem string) {
	cure := ""
	if n.Kind == yaml.ScalarNode && n.Tag == tagInt {
		if code, err := parseInt(n.Value); err == nil && code >= 1 && code <= 255 {
			return exitCode(int(code)), ""
		}
	}
	if n.Kind == yaml.ScalarNode && n.Tag == tagStr {
		if end, ok := signal(n.Value); ok {
			return end, ""
		}
		near := "SIG" + strings.TrimPrefix(strings.ToUpper(n.Value), "SIG")
		if _, ok := signal(near); ok {
			cure = "; did you mean " + near + "?"
		}
	}
	return 0, fmt.Sprintf("must be an exit code, 1 to 255, or a signal's name, as in SIGTERM (got %s)%s", found(n, false), cure)
}

// signal returns the end by the signal that has the name.
func signal(name string) (process.Status, bool) {
	for end := process.Status(1); end <= 64; end++ {
		if end.SignalName() == name {
			return end, true
		}
	}
	return 0, false
}
