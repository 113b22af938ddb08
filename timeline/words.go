package timeline

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Line returns what a person would have typed to start a process: its name and
// arguments, at most `most` bytes of them.
func (m *Model) Line(i, most int) string {
	var b strings.Builder
	b.WriteString(quoted(m.Name(i)))
	args := m.argsOf(i)
	for _, t := range args[min(1+m.interpreter(i), len(args)):] { // the name says the first
		arg := m.Texts[t]
		b.WriteByte(' ')
		b.WriteString(quoted(arg))
		if b.Len() > most {
			return strings.ToValidUTF8(b.String()[:most], "") + "…"
		}
	}
	if m.Has(i, ArgsCut) {
		b.WriteString(" …")
	}
	return b.String()
}

// interpreter returns how many arguments before a script belong to its
// interpreter: the kernel puts the interpreter, and perhaps an argument, first.
func (m *Model) interpreter(i int) int {
	args, name := m.argsOf(i), m.Name(i)
	if len(args) == 0 || path.Base(m.Texts[args[0]]) == name || path.Base(m.Texts[m.Executable[i]]) == name {
		return 0
	}
	return max(0, slices.IndexFunc(args[:min(4, len(args))], func(t Text) bool { return path.Base(m.Texts[t]) == name }))
}

// label is Line for sentences.
func (m *Model) label(i int) string { return m.Line(i, 80) }

// quoted returns arg as one word of a shell, quoted if necessary.
func quoted(arg string) string {
	switch {
	case arg == "":
		return "''"
	case strings.ContainsFunc(arg, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }):
		return "$'" + escapes.Replace(arg) + "'"
	case !strings.ContainsAny(arg, " \t\n\"'`$\\|&;<>(){}[]*?!~#") || arg == "[" || arg == "]":
		return arg
	case strings.Contains(arg, "'") && !strings.ContainsAny(arg, "\"$`\\!"):
		return `"` + arg + `"`
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// escapes are those of $'…'.
var escapes = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\t", `\t`)

// Outcome returns how a process ended: "exit 1", "SIGKILL", "SIGKILL, out of
// memory", "unknown"; "" for success.
func (m *Model) Outcome(i int) string {
	switch {
	case m.Has(i, EndEstimated):
		return "unknown"
	case m.Has(i, OOMKilled):
		return m.Status[i].SignalName() + ", out of memory"
	case m.Status[i].CoreDumped():
		return m.Status[i].SignalName() + ", core dumped"
	case m.Status[i].Signal() != 0:
		return m.Status[i].SignalName()
	case m.ExitCode(i) != 0:
		return fmt.Sprintf("exit %d", m.ExitCode(i))
	}
	return ""
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// round returns a duration with three digits or so.
func round(d time.Duration) time.Duration {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond)
	case d >= time.Second:
		return d.Round(10 * time.Millisecond)
	case d >= 100*time.Millisecond:
		return d.Round(time.Millisecond)
	case d >= time.Millisecond:
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}
