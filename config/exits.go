package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/rules"
)

// anyName is the name that stands for every process.
const anyName = "*"

// ExpectedExits are the ends of a process that are no failure, by its name as
// process.Lifetime.Name has it. Those of "*" hold for every process, beside its
// own.
type ExpectedExits map[string]Exits

// Exits are ends of a process: an exit code, which a signal has as well (128+n),
// or a signal alone.
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

// read reads lists of ends by name. One that is given replaces that of the same
// name.
func (e ExpectedExits) read(v value) {
	s := v.section(&option{anyKey: true})
	ends := &option{kind: statusKind(), tag: `unique:"yes"`}
	for _, name := range slices.Sorted(maps.Keys(s.fields)) {
		if name == "" || len(name) > maxFileName || strings.ContainsAny(name, "/\x00") {
			s.fail(name, `must be the name of a file without its directory, or "*" for all (got %s)`, quote(name))
			continue
		}
		exits := e[name]
		s.get(name).readScalars(ends, reflect.ValueOf(&exits).Elem())
		e[name] = exits
	}
}

func (e ExpectedExits) print() any {
	var p pairs
	for _, name := range slices.Sorted(maps.Keys(e)) {
		ends := []process.Status(e[name])
		p = append(p, pair{yamlText(name), flowOf(statusKind(), reflect.ValueOf(ends))})
	}
	return p
}

func (ExpectedExits) schema() object {
	return object{
		"type":          "object",
		"propertyNames": object{"pattern": `^[^/\x00]+$`, "maxLength": maxFileName},
		"additionalProperties": object{
			"type": []any{"array", "null"}, "uniqueItems": true,
			"items": object{"anyOf": []any{statusKind().schema, object{"$ref": "#/$defs/reference"}}},
		},
	}
}

// statusKind is an exit code other than 0, or the name of a signal.
func statusKind() *kind {
	k := exitKind()
	print := k.print
	k.convert(func(exit any) any { return exit.(rules.Exit).Status })
	k.print = func(v any) string { return print(rules.Exit{Status: v.(process.Status)}) }
	return k
}

// exitKind is an exit code, the name of a signal, or one of the words; with words
// 0 is one, too.
func exitKind(words ...string) *kind {
	low, also := 1, ""
	if len(words) > 0 {
		low, also = 0, ", or "+strings.Join(words, " or ")
	}
	return &kind{
		what: fmt.Sprintf("an exit code, %d to 255, or a signal's name, as in SIGTERM%s", low, also),
		tags: []string{tagInt, tagStr},
		parse: func(text, got string) (any, string) {
			if code, err := parseInt(text); err == nil && int(code) >= low && code <= 255 {
				return rules.Exit{Status: exitCode(int(code))}, ""
			}
			if end, ok := signal(text); ok {
				return rules.Exit{Status: end}, ""
			}
			if slices.Contains(words, text) {
				return rules.Exit{Failed: text == "failed", Expected: text == "expected"}, ""
			}
			hint, near := nearest(text, words), "SIG"+strings.TrimPrefix(strings.ToUpper(text), "SIG")
			if _, ok := signal(near); ok {
				hint = near
			}
			if hint != "" {
				hint = "; did you mean " + hint + "?"
			}
			return nil, fmt.Sprintf("must be an exit code, %d to 255, or a signal's name, as in SIGTERM%s (got %s)%s", low, also, got, hint)
		},
		print: func(v any) string {
			switch e := v.(rules.Exit); {
			case e.Failed:
				return "failed"
			case e.Expected:
				return "expected"
			case e.Status.SignalName() != "":
				return e.Status.SignalName()
			default:
				return strconv.Itoa(e.Status.ExitCode())
			}
		},
		schema: object{"anyOf": []any{
			object{"type": "integer", "minimum": low, "maximum": 255},
			object{"type": "string", "pattern": `^SIG[A-Z0-9+-]+$`},
			object{"enum": append([]string{}, words...)},
		}},
	}
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
