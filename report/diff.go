package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/procspan/procspan/console"
	"github.com/procspan/procspan/timeline"
)

// maxShown bounds each list of differences on a terminal.
const maxShown = 15

// Diff writes in what two sides of runs differ, width columns wide: the elapsed
// time, then totals by command, then single command lines.
func Diff(w io.Writer, c *timeline.Comparison, width int) error {
	var b strings.Builder
	put := func(text string) { fmt.Fprintln(&b, console.Fit(text, max(width, minWidth))) }
	delta := c.B - c.A
	sign := "+"
	if delta < 0 {
		sign = "−"
	}
	verdict := "within the noise of " + console.Duration(c.Noise)
	if c.Slower() != 0 {
		verdict = fmt.Sprintf("%s%.3g %%", sign, 100*float64(delta.Abs())/float64(c.A))
	}
	put(fmt.Sprintf("elapsed %s → %s: %s%s, %s", console.Duration(c.A), console.Duration(c.B), sign, console.Duration(delta.Abs()), verdict))
	if c.LessParallel {
		put("the same work was done less in parallel")
	}
	list := func(title string, all []timeline.Difference) {
		if len(all) == 0 {
			return
		}
		put(title)
		for _, d := range all[:min(maxShown, len(all))] {
			put("  " + console.Printable(d.String()))
		}
		if more := len(all) - maxShown; more > 0 {
			put(fmt.Sprintf("  … and %d more", more))
		}
	}
	list("by command:", c.Commands)
	list("by command line:", c.Processes)
	if len(c.Commands) == 0 && len(c.Processes) == 0 {
		put("no command differs by more than the noise")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the comparison: %w", err)
	}
	return nil
}
