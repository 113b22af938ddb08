package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/procspan/procspan/console"
	"github.com/procspan/procspan/timeline"
)

const (
	// textCommands and textFindings bound the lines of a summary, to twelve with
	// the others.
	textCommands = 5
	textFindings = 3
)

// Summary writes what a person at a terminal wants to know first: at most twelve
// lines, width columns wide.
func Summary(w io.Writer, a *timeline.Analysis, width int) error {
	var b strings.Builder
	put := func(heading, text string) {
		fmt.Fprintln(&b, console.Fit(console.Pad(heading, 10)+text, max(width, minWidth)))
	}
	var all []string
	for _, f := range facts(a) {
		all = append(all, f.Text)
	}
	put("procspan:", strings.Join(append([]string{console.Printable(a.Name(max(a.Root, 0)))}, all...), " · "))
	if s := a.Shares; s.Known && a.Len() > 0 {
		whole := s.OnCPU + s.WaitedForCPU + s.Asleep
		put("  time", fmt.Sprintf("%s on a CPU · %s waited for a CPU · %s asleep", percent(s.OnCPU, whole), percent(s.WaitedForCPU, whole), percent(s.Asleep, whole)))
	}
	shown, rest := 0, time.Duration(0)
	for i, c := range a.Commands {
		if c.Path <= 0 {
			break
		}
		if i >= textCommands {
			rest += c.Path
			continue
		}
		heading := ""
		if i == 0 {
			heading = "  path"
		}
		text := fmt.Sprintf("%6s  %-7s %s", percent(c.Path, a.Elapsed), console.Duration(c.Path), console.Printable(a.Text(c.Program)))
		if c.Count > 1 {
			text += fmt.Sprintf(" × %d", c.Count)
		}
		if i < len(a.Gains) && 100*a.Gains[i].Most > a.Elapsed {
			text += " · 20 % less work: " + shortGain(a.Gains[i])
		}
		put(heading, text)
		shown++
	}
	if shown > 0 {
		tail := provedText(a)
		if rest > 0 {
			tail = fmt.Sprintf("%s  %-7s others · ", console.Pad(percent(rest, a.Elapsed), 6), console.Duration(rest)) + tail
		}
		put("", tail)
	}
	for i, f := range a.Findings[:min(textFindings, len(a.Findings))] {
		heading := ""
		if i == 0 {
			heading = "  look at"
		}
		text := console.Printable(f.Text)
		if f.AtMost > 0 { // first, since a line may be cut
			text = "at most −" + console.Duration(f.AtMost) + ": " + text
		}
		put(heading, text)
	}
	for _, n := range notes(a) {
		put("  note", n)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	return nil
}

// provedText says how much of the path the kernel showed.
func provedText(a *timeline.Analysis) string {
	switch share := percent(a.Path.Proved, a.Elapsed); {
	case a.Path.Proved == a.Elapsed:
		return "the whole path is proved"
	case a.Path.Proved == 0:
		return "the whole path is inferred"
	default:
		return share + " of the path proved, the rest inferred"
	}
}

// shortGain is a gain without its least: "about −2.1s, at most −3s", or one number
// where they are alike.
func shortGain(g timeline.Gain) string {
	about, most := console.Duration(g.About), console.Duration(g.Most)
	if about == most {
		return "−" + about
	}
	return "about −" + about + ", at most −" + most
}

// Text writes the summary and the waterfall; rows is as for Waterfall.
func Text(w io.Writer, a *timeline.Analysis, width, rows int) error {
	if err := Summary(w, a, width); err != nil {
		return err
	}
	return Waterfall(w, a, width, rows)
}
