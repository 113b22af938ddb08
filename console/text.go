package console

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/procspan/procspan/process"
)

// Printable returns s with every byte or character that could act on a
// terminal shown as an escape: controls, invalid UTF-8, and what changes the
// direction of text.
func Printable(s string) string {
	harmless := func(r rune) bool { return unicode.IsPrint(r) && r != utf8.RuneError }
	if strings.IndexFunc(s, func(r rune) bool { return !harmless(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case harmless(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		s = s[size:]
	}
	return b.String()
}

// fit returns s cut to width characters, with an ellipsis where it was cut.
func fit(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	if width <= 0 {
		return ""
	}
	runes := []rune(s)
	return string(runes[:width-1]) + "…"
}

// short returns d with three digits or so.
func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%dµs", d.Microseconds())
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1fms", float64(d)/1e6)
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 100*time.Second:
		return fmt.Sprintf("%.2fs", d.Seconds())
	case d < 10*time.Hour:
		return d.Round(time.Second).String()
	default:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
}

// outcome says how a process ended, "" for a plain success.
func outcome(l *process.Lifetime) string {
	switch s := l.Status; {
	case l.EndEstimated:
		return "exit not seen"
	case s.Signal() != 0 && s.CoreDumped():
		return s.SignalName() + ", core dumped"
	case s.Signal() != 0:
		return s.SignalName()
	case s.ExitCode() != 0:
		return fmt.Sprintf("exit %d", s.ExitCode())
	}
	return ""
}

// duration is how long the process ran, from its first exec.
func duration(l *process.Lifetime) time.Duration { return time.Duration(l.End - l.Start) }
