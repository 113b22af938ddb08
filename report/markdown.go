package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/procspan/procspan/timeline"
)

// maxMarkdown is how much a CI step summary holds, in bytes (GitHub: 1,024 KiB),
// less what others write.
const maxMarkdown = 512 << 10

// Markdown writes the summary of a job for the step summary of a CI run.
func Markdown(w io.Writer, a *timeline.Analysis) error {
	v := newPageView(a)
	m := &markdown{}
	m.line("### %s", code(v.Command))
	var facts []string
	for _, f := range v.Facts {
		if f.Bad {
			f.Text = "**" + escape(f.Text) + "**"
		} else {
			f.Text = escape(f.Text)
		}
		facts = append(facts, f.Text)
	}
	m.line("%s", strings.Join(facts, " · "))
	m.line("")
	for _, n := range v.Notes {
		m.line("- ⚠ %s", escape(n))
	}
	for _, f := range v.Findings {
		text := escape(f.Text)
		if f.AtMost != "" {
			text += " **(at most −" + f.AtMost + ")**"
		}
		m.line("- %s", text)
	}
	m.holders(v)
	m.commands(v)
	m.slots(v)
	m.failures(v)
	m.line("")
	m.line("<sub>%s</sub>", escape(v.Footer))
	if _, err := io.WriteString(w, m.text()); err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	return nil
}

type markdown struct {
	b   strings.Builder
	cut bool
}

// line writes a line, unless there is no room for it any more.
func (m *markdown) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if m.cut || m.b.Len()+len(text) > maxMarkdown-100 {
		m.cut = true
		return
	}
	m.b.WriteString(text)
	m.b.WriteByte('\n')
}

func (m *markdown) text() string {
	if m.cut {
		return m.b.String() + "\n_The rest has no room here; the report has it._\n"
	}
	return m.b.String()
}

// table writes a table with numbers to the right, in all columns but those whose
// heading begins with a '<'.
func (m *markdown) table(title string, heads ...string) {
	m.line("")
	m.line("#### %s", title)
	m.line("")
	rule := "|"
	for i, h := range heads {
		if text, left := strings.CutPrefix(h, "<"); left {
			heads[i] = text
			rule += "---|"
		} else {
			rule += "--:|"
		}
	}
	m.row(heads...)
	m.line("%s", rule)
}

func (m *markdown) row(cells ...string) { m.line("| %s |", strings.Join(cells, " | ")) }

func (m *markdown) holders(v *pageView) {
	if len(v.Holders) == 0 {
		return
	}
	m.table("Critical path ("+v.Proved+" of it proved)", "holds", "share", "without it", "<command")
	for _, h := range v.Holders[:min(10, len(v.Holders))] {
		m.row(h.Held, h.Share, h.Gain, code(h.Line))
	}
}

func (m *markdown) commands(v *pageView) {
	if len(v.Commands) == 0 {
		return
	}
	m.table("By command", "<command", "processes", "failed", "on the path", "CPU", "p95", "20 % less work")
	for _, c := range v.Commands[:min(10, len(v.Commands))] {
		m.row(code(c.Name), c.Count, c.Failed, c.Path, c.CPU, c.P95, c.Gain)
	}
}

func (m *markdown) slots(v *pageView) {
	if len(v.Slots) == 0 {
		return
	}
	m.table("With other numbers of jobs at once", "jobs", "would take", "between")
	for _, s := range v.Slots {
		m.row(fmt.Sprint(s.Slots), s.About, s.Range)
	}
	m.line("")
	m.line("Estimates; below %s is not possible without less work.", v.Floor)
}

func (m *markdown) failures(v *pageView) {
	if len(v.Failures) == 0 {
		return
	}
	m.table("Failures", "at", "<ended", "<command", "<started by")
	for _, f := range v.Failures[:min(20, len(v.Failures))] {
		m.row(f.At, escape(f.Outcome), code(f.Line), code(f.Parent))
	}
	if more := len(v.Failures) - 20 + v.FailuresMore; more > 0 {
		m.line("")
		m.line("and %d more", more)
	}
}

// code shows text as it is, within a table as well. The text has no line breaks.
func code(s string) string {
	if s == "" {
		return ""
	}
	// HTML's element, since a cell cannot hold the two characters in backticks.
	return "<code>" + strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "|", "&#124;", "`", "&#96;",
		"*", "&#42;", "_", "&#95;", "[", "&#91;", "]", "&#93;", "~", "&#126;", "@", "&#64;", "#", "&#35;", "$", "&#36;", `\`, "&#92;", ":", "&#58;").Replace(s) + "</code>"
}

// escape makes text harmless in Markdown.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case strings.ContainsRune("\\`*_{}[]()#+!|~@$", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
