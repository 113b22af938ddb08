package page

import (
	"flag"
	"regexp"
	"testing"

	"github.com/procspan/procspan/test/golden"
)

var update = flag.Bool("update", false, "write the golden file anew")

// Without scripts, as in Jenkins, the page has all that is worth knowing.
func testWithoutScripts(t *testing.T, b *browser) {
	tab := b.newTab(t, 1280, 900)
	tab.do("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
	tab.open("file://" + writePage(t, makeJob(42)))
	// The words of the page are compared. Figures, and which rows a table has, are for
	// package timeline to say.
	words := tab.text(`[...document.querySelectorAll('h1, h2, p, th, .facts li, footer')].filter((e) => e.checkVisibility()).map((e) => e.innerText).join('\n')`)
	figure := regexp.MustCompile(`−?[0-9][0-9.]*(ms|µs|s)?([0-9.]+s)?`)
	golden.Check(t, "without scripts", figure.ReplaceAllString(words, "N")+"\n", *update)
	if got := tab.text(`String([...document.querySelectorAll('tbody, .findings')].filter((e) => e.checkVisibility()).map((e) => e.children.length > 0 && e.innerText.length > 20))`); got != "true,true,true,true,true,true" {
		t.Errorf("findings and five tables have something in them: %s", got)
	}
	if got := tab.text(`String([...document.querySelectorAll('#strip svg polygon, #strip svg polyline')].every((e) => e.getBBox().width > 500))`); got != "true" {
		t.Error("there is no strip")
	}
	if got := tab.text(`String(document.getElementById('app').checkVisibility())`); got != "false" {
		t.Error("the empty timeline is shown")
	}
	tab.screenshot("without-scripts")
	tab.quiet()
}
