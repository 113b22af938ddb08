package report

import (
	"fmt"
	"os"
	"strconv"

	"github.com/procspan/procspan/console"
	"github.com/procspan/procspan/timeline"
)

// DiffHTML writes a comparison to a file, as a page without scripts.
func DiffHTML(path string, c *timeline.Comparison) error {
	if err := os.WriteFile(path, []byte(diffPage(c)), 0o666); err != nil {
		return fmt.Errorf("write the comparison: %w", err)
	}
	return nil
}

func diffPage(c *timeline.Comparison) string {
	var m markup
	m.head("comparison · procspan", "", "")
	m.add(`<h1>%s → %s</h1>
<p>Differences below %s of the elapsed time are noise.`, console.Duration(c.A), console.Duration(c.B), console.Duration(c.Noise))
	if c.LessParallel {
		m.add(" The same work was done less in parallel.")
	}
	m.add("</p>\n")
	differences(&m, "By command", c.Commands)
	differences(&m, "By command line", c.Processes)
	m.add("</main>\n</body>\n</html>\n")
	return m.String()
}

func differences(m *markup, title string, all []timeline.Difference) {
	m.add("<h2>%s</h2>\n", title)
	if len(all) == 0 {
		m.add("<p>None differs by more than the noise.</p>\n")
		return
	}
	m.add(`<table>
<thead><tr><th></th><th class="num">before</th><th class="num">after</th><th class="num">difference</th><th class="num">processes</th><th>command</th></tr></thead>
<tbody>
`)
	for _, d := range all {
		m.add(`<tr><td>%s</td><td class="num">%s</td><td class="num">%s</td><td class="num">%s</td><td class="num">%s → %s</td><td class="line">%s</td></tr>
`, string(d.Kind), console.Duration(d.A), console.Duration(d.B), console.Duration(d.Delta()),
			strconv.Itoa(d.CountA), strconv.Itoa(d.CountB), console.Printable(d.Text))
	}
	m.add("</tbody></table>\n")
}
