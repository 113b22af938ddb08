package console

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"github.com/procspan/procspan/process"
)

// Printable returns s with escapes for everything that could act on a terminal:
// controls, invalid UTF-8, and characters that change the direction of text.
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

// Width returns how many columns s takes on a terminal: two for a wide character,
// none for a combining one.
func Width(s string) int {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return uniseg.StringWidth(s)
		}
	}
	return len(s)
}

// Pad returns s with spaces up to columns.
func Pad(s string, columns int) string { return s + strings.Repeat(" ", max(0, columns-Width(s))) }

// Fit returns s cut to columns, with an ellipsis where it was cut.
func Fit(s string, columns int) string {
	if Width(s) <= columns {
		return s
	}
	if columns <= 0 {
		return ""
	}
	end, used := 0, 0
	for rest, state := s, -1; ; {
		var wide int
		var cluster string
		cluster, rest, wide, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if used += wide; used >= columns {
			return s[:end] + "…"
		}
		end += len(cluster)
	}
}

// Duration returns d with about three digits.
func Duration(d time.Duration) string {
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

// outcome describes how a process ended; "" for success.
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

// duration is the time from the first exec to the end.
func duration(l *process.Lifetime) time.Duration { return l.End.Sub(l.Start) }
