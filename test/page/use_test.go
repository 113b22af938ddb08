package page

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/procspan/procspan/test/lifetimes"
	"github.com/procspan/procspan/timeline"
)

// openJob opens the page of a job in a tab of its own and waits until it is usable.
func openJob(t *testing.T, b *browser, a *timeline.Analysis, fragment string) *tab {
	t.Helper()
	tab := b.newTab(t, 1280, 900)
	tab.open("file://" + writePage(t, a) + fragment)
	tab.usable()
	return tab
}

// await polls an expression until it is true.
func (tb *tab) await(expression string) {
	tb.t.Helper()
	var ok bool
	tb.eval(fmt.Sprintf(`new Promise((done) => {
		const begun = performance.now();
		const look = () => { if (%s) done(true); else if (performance.now() - begun > 10000) done(false); else setTimeout(look, 5); };
		look();
	})`, expression), &ok)
	if !ok {
		tb.t.Errorf("never true: %s", expression)
	}
}

// details returns what the panel says of the selected process: its heading and
// a row of its list.
func (tb *tab) details(row string) string {
	tb.t.Helper()
	return tb.text(fmt.Sprintf(`[...document.querySelectorAll('#details dt')].find((e) => e.textContent === %q)?.nextSibling.textContent || ''`, row))
}

func testSearch(t *testing.T, b *browser) {
	a := makeJob(402)
	tab := openJob(t, b, a, "")
	for _, tc := range []struct {
		query string
		found func(i int) bool
	}{
		{"dir3/file3.c", func(i int) bool { return strings.Contains(a.Line(i, 1<<20), "dir3/file3.c") }},
		{"CC1 file1", func(i int) bool { return strings.Contains(a.Line(i, 1<<20), "file1") && a.Name(i) == "cc1" }},
		{"failed", func(i int) bool { return a.Has(i, timeline.Failed) }},
		{"path", func(i int) bool { return a.Path.Held[i] > 0 }},
		{">50ms cc", func(i int) bool {
			return a.Duration(i) > 50*time.Millisecond && strings.Contains(a.Line(i, 1<<20), "cc")
		}},
		{"pid:105", func(i int) bool { return a.PID[i] == 105 }},
		{"nothing is called so", func(int) bool { return false }},
	} {
		want := 0
		for i := range a.Len() {
			if tc.found(i) {
				want++
			}
		}
		tab.key("/")
		tab.eval(`document.getElementById('query').select()`, nil)
		tab.do("Input.insertText", map[string]any{"text": tc.query}, nil)
		if got := tab.text(`document.getElementById('found').textContent`); got != fmt.Sprintf("%d of %d", want, a.Len()) {
			t.Errorf("%q: %s, want %d", tc.query, got, want)
		}
		var rows int
		if tab.eval(`document.querySelectorAll('#processes tr').length`, &rows); rows != min(want, 200) {
			t.Errorf("%q: the table has %d rows, want %d", tc.query, rows, min(want, 200))
		}
		tab.key("Escape")
	}
	tab.quiet()
}

// The fragment of a page that was used shows the same in another tab.
func testFragment(t *testing.T, b *browser) {
	a := makeJob(402)
	tab := openJob(t, b, a, "")
	tab.key("l")
	tab.key("w")
	tab.key("/")
	tab.do("Input.insertText", map[string]any{"text": "cc1"}, nil)
	tab.key("Escape")
	tab.eval(`procspan.select(77, false)`, nil)
	tab.await(`['t', 'mode', 'q', 'sel'].every((k) => new URLSearchParams(location.hash.slice(1)).has(k))`)
	const state = `JSON.stringify([document.getElementById('mode').value, Math.round(procspan.view.from), Math.round(procspan.view.to),
		document.getElementById('found').textContent, document.getElementById('details').innerText])`
	want := tab.text(state)
	again := openJob(t, b, a, tab.text("location.hash"))
	if got := again.text(state); got != want {
		t.Errorf("the fragment %s shows\n%s\nwant\n%s", tab.text("location.hash"), got, want)
	}
	if got := again.details("pid"); got != fmt.Sprint(a.PID[77]) {
		t.Errorf("pid %s is selected, want %d", got, a.PID[77])
	}
	// A process that a closed group hides is shown in its lane.
	below := 0
	for a.Name(below) != "cc1" {
		below++
	}
	hidden := openJob(t, b, a, fmt.Sprintf("#sel=%d", below))
	if got := hidden.text(fmt.Sprintf(`String(procspan.rows()[procspan.rowOf(%[1]d)].list?.includes(%[1]d))`, below)); got != "true" {
		t.Error("the selected process is in no lane of its group")
	}
	for _, bad := range []string{"#sel=99999999", "#sel=-3&t=9-1", "#t=x&mode=%00&sel=1e3", "#q=%3Cscript%3E&sel=NaN"} {
		openJob(t, b, a, bad).quiet()
	}
}

func testKeys(t *testing.T, b *browser) {
	a := makeJob(42)
	tab := openJob(t, b, a, "")
	span := func() (ns float64) { tab.eval(`procspan.view.to - procspan.view.from`, &ns); return ns }
	whole := span()
	if tab.key("w"); span() >= whole {
		t.Error("W does not zoom in")
	}
	var before, after float64
	tab.eval(`procspan.view.from`, &before)
	tab.key("d")
	if tab.eval(`procspan.view.from`, &after); after <= before {
		t.Error("D does not pan")
	}
	if tab.key("0"); span() != whole {
		t.Error("0 does not fit the whole job")
	}
	selected := func(key string, want int) {
		t.Helper()
		if tab.key(key); tab.details("pid") != fmt.Sprint(a.PID[want]) {
			t.Errorf("%s selects pid %s, want %d", key, tab.details("pid"), a.PID[want])
		}
	}
	first := int(a.Children(a.Root)[0])
	selected("ArrowDown", a.Root)
	selected("ArrowDown", first)
	selected("ArrowDown", int(a.Children(first)[0]))
	selected("ArrowLeft", first)
	selected("ArrowRight", int(a.Children(first)[0]))
	if tab.key("f"); span() > 1.2*float64(a.Duration(int(a.Children(first)[0]))) {
		t.Error("F does not fit the selected process")
	}
	if tab.key("Escape"); tab.text(`String(document.getElementById('details').hidden)`) != "true" {
		t.Error("Escape does not close the details")
	}
	if tab.key("l"); tab.text(`document.getElementById('mode').value`) != "lanes" {
		t.Error("L does not switch to lanes")
	}
	tab.quiet()
}

// The table has what the drawing has, for those who cannot see it.
func testTable(t *testing.T, b *browser) {
	a := makeJob(42)
	tab := openJob(t, b, a, "")
	var rows [][]string
	tab.eval(`[...document.querySelectorAll('#processes tr')].map((r) => [...r.cells].map((c) => c.textContent))`, &rows)
	if len(rows) != a.Len() {
		t.Fatalf("the table has %d rows, want %d", len(rows), a.Len())
	}
	seen := map[string]bool{}
	for _, r := range rows {
		seen[r[4]+" "+r[3]+" "+r[5]] = true
	}
	for i := range a.Len() {
		if want := fmt.Sprintf("%d exit %d %s", a.PID[i], a.ExitCode(i), a.Line(i, 150)); !seen[want] {
			t.Errorf("no row is %q", want)
		}
	}
	// Its rows are buttons: one opens the details.
	tab.eval(`document.querySelectorAll('#processes button')[1].click()`, nil)
	if got := tab.details("pid"); got != rows[1][4] {
		t.Errorf("the second row shows pid %s, want %s", got, rows[1][4])
	}
}

func testDark(t *testing.T, b *browser) {
	for scheme, want := range map[string]string{"dark": "rgb(22, 24, 28) 22,24,28", "light": "rgb(255, 255, 255) 255,255,255"} {
		tab := b.newTab(t, 1280, 900)
		tab.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
		tab.open("file://" + writePage(t, makeJob(402)))
		tab.usable()
		got := tab.text(`getComputedStyle(document.body).backgroundColor + ' ' +
			document.getElementById('timeline').getContext('2d').getImageData(3, 3, 1, 1).data.slice(0, 3).join()`)
		if got != want {
			t.Errorf("%s: the page and its drawing are %s, want %s", scheme, got, want)
		}
		tab.screenshot(scheme)
		tab.eval(`procspan.setMode('lanes'); procspan.select(40, true)`, nil)
		tab.await(`!document.getElementById('details').hidden`)
		tab.screenshot("lanes-" + scheme)
		tab.quiet()
	}
}

// A narrow window has no line that is wider than it is.
func testNarrow(t *testing.T, b *browser) {
	tab := b.newTab(t, 390, 800)
	tab.open("file://" + writePage(t, makeJob(402)))
	tab.usable()
	tab.screenshot("narrow")
	var wide int
	if tab.eval(`document.documentElement.scrollWidth`, &wide); wide > 390 {
		t.Errorf("the page is %d pixels wide in a window of 390", wide)
	}
}

// Nothing of a process acts on its reader: no script, no request, no dialog, no
// element, and all of it can be read.
func testHostile(t *testing.T, b *browser) {
	a := timeline.Analyse(lifetimes.Hostile())
	tab := openJob(t, b, a, "")
	const elements = `JSON.stringify(['script', 'img', 'a', 'iframe', 'link', 'object', 'embed', 'form', 'base', 'meta', 'style', '[onload]', '[onerror]', '[onfocus]', '[autofocus]', '[href]', '[src]', '[style*=display]']
		.map((s) => s + ' ' + document.querySelectorAll(s).length).filter((s) => !s.endsWith(' 0')))`
	want := `["script 1","meta 4","style 1"]`
	if got := tab.text(elements); got != want {
		t.Errorf("the page has %s, want %s", got, want)
	}
	for i := range a.Len() {
		tab.eval(fmt.Sprintf(`procspan.select(%d, true)`, i), nil)
		var shown string
		tab.eval(`document.querySelector('#details pre').textContent.replaceAll("'\\''", "'").slice(0, 200)`, &shown)
		text := lifetimes.HostileTexts[a.PID[i]-1]
		plain := text
		for _, cut := range []string{"\u2028", "\x1b", "\u202e", "\xff", "\r", "\x07"} { // made visible
			plain, _, _ = strings.Cut(plain, cut)
		}
		if !strings.Contains(shown, plain[:min(len(plain), 100)]) {
			t.Errorf("%.40q is shown as %.80q", text, shown)
		}
		for _, acts := range []string{"\u2028", "\x1b", "\u202e", "\r", "\x07", "\n"} {
			if strings.Contains(shown, acts) {
				t.Errorf("%.40q is shown with %q", text, acts)
			}
		}
	}
	// What is too long to lay out is cut, and says so.
	if got := tab.text(fmt.Sprintf(`procspan.select(%d, true), document.querySelector('#details pre').textContent.slice(-40)`, a.Len()-1)); !strings.HasSuffix(got, "A… (4194305 characters in all)") {
		t.Errorf("two arguments of 2 MiB are shown up to %q", got)
	}
	for _, query := range []string{"<script", "javascript:", "${", "__proto__", "\u2028"} {
		tab.eval(fmt.Sprintf(`procspan.search(%q)`, query), nil)
		if got := tab.text(`document.getElementById('found').textContent`); strings.HasPrefix(got, "0 ") && query != "\u2028" {
			t.Errorf("%q: %s", query, got)
		}
	}
	tab.eval(`procspan.setMode('lanes')`, nil)
	if got := tab.text(elements); got != want {
		t.Errorf("the page has %s then, want %s", got, want)
	}
	tab.screenshot("hostile")
	tab.quiet()
}
