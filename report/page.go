package report

import (
	"fmt"
	"strconv"
)

// html is the page up to the data.
func (v *pageView) html() string {
	var m markup
	m.head(v.Title, "script-src '"+hash(script())+"'; ", `<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
`)
	m.add(`<h1><code>%s</code></h1>
<ul class="facts">
`, v.Command)
	for _, f := range v.Facts {
		if f.Bad {
			m.add("<li class=\"bad\">%s</li>\n", f.Text)
		} else {
			m.add("<li>%s</li>\n", f.Text)
		}
	}
	m.add("</ul>\n")
	if len(v.Notes) > 0 {
		m.add("<ul class=\"findings\">\n")
		for _, note := range v.Notes {
			m.add("<li>%s</li>\n", note)
		}
		m.add("</ul>\n")
	}
	v.findings(&m)
	v.where(&m)
	m.WriteString(app)
	m.add("<section id=\"strip\">\n<h2>What ran at once</h2>\n")
	v.strip(&m)
	m.add(`
<p>Filled: running processes that wait for no other. Line: CPUs in use. Dashed: the CPUs of the machine.</p>
</section>
`)
	v.path(&m)
	v.commands(&m)
	v.slots(&m)
	v.failures(&m)
	m.add("<footer>%s</footer>\n</main>\n", v.Footer)
	return m.String()
}

// app is what the script fills.
const app = `<div id="problem"></div>
<section id="app" hidden aria-label="timeline">
<div id="bar">
<label>view <select id="mode"><option value="tree">tree</option><option value="lanes">lanes</option></select></label>
<label>find <input id="query" type="search" placeholder="words, failed, path, &gt;1s, pid:123"></label>
<span id="found" role="status"></span>
<button id="fit" type="button">fit</button>
<span id="legend"></span>
</div>
<div id="stage"><canvas id="timeline"></canvas><canvas id="overlay" tabindex="0" role="img" aria-label="timeline of all processes; the table below has the same"></canvas><aside id="details" hidden aria-label="process"></aside></div>
<p class="hint">Ctrl+wheel or W S: zoom · drag or A D: pan · drag over the top: zoom to that time · click: details · F: fit · L: lanes · /: find · arrows: next, parent, child</p>
<details><summary>Processes as a table (<span id="tablecount"></span>)</summary>
<div class="scroll"><table><thead><tr><th class="num">start</th><th class="num">lived</th><th class="num">CPU</th><th>ended</th><th>pid</th><th>command</th></tr></thead><tbody id="processes"></tbody></table></div>
</details>
</section>
`

func (v *pageView) findings(m *markup) {
	if len(v.Findings) == 0 {
		return
	}
	m.add("<h2>What stands out</h2>\n<ul class=\"findings\">\n")
	for _, f := range v.Findings {
		m.add("<li>%s", f.Text)
		if f.AtMost != "" {
			m.add(" <strong>(at most −%s)</strong>", f.AtMost)
		}
		m.add("</li>\n")
	}
	m.add("</ul>\n")
}

func (v *pageView) where(m *markup) {
	if len(v.Where) == 0 {
		return
	}
	m.add(`<h2>Where the time went</h2>
<p>At each moment, one process holds up the job. The times below add up to %s; making anything else faster does not shorten the job.</p>
<div class="scroll"><table>
<thead><tr><th>command</th><th class="num">holds up the job</th><th class="num">share</th><th></th><th class="num">with 20 %% less work, the job takes</th></tr></thead>
<tbody>
`, v.Elapsed)
	for _, w := range v.Where {
		m.add(`<tr><td class="line">%s</td><td class="num">%s</td><td class="num">%s</td><td><svg width="160" height="10" aria-hidden="true"><rect class="run" width="%s" height="10"/></svg></td><td class="num">%s</td></tr>
`, w.Name, w.Held, w.Share, strconv.Itoa(w.Width), w.Gain)
	}
	m.add("</tbody></table></div>\n")
}

func (v *pageView) path(m *markup) {
	m.add(`<h2>Critical path</h2>
<p>The processes that hold up the job the longest. %s of the path is proved: the kernel showed the parent waiting when the process ended. The rest is inferred.</p>
<div class="scroll"><table>
<thead><tr><th class="num">holds</th><th class="num">share</th><th class="num">without it, the job takes</th><th>command</th></tr></thead>
<tbody>
`, v.Proved)
	for _, h := range v.Holders {
		m.add(`<tr><td class="num">%s</td><td class="num">%s</td><td class="num">%s</td><td class="line">%s</td></tr>
`, h.Held, h.Share, h.Gain, h.Line)
	}
	m.add("</tbody></table></div>\n")
}

func (v *pageView) commands(m *markup) {
	m.add(`<h2>By command</h2>
<div class="scroll"><table>
<thead><tr><th>command</th><th class="num">processes</th><th class="num">failed</th><th class="num">on the path</th><th class="num">CPU</th><th class="num">in all</th><th class="num">p50</th><th class="num">p95</th><th class="num">longest</th><th class="num">peak memory</th><th class="num">20 %% less work</th></tr></thead>
<tbody>
`)
	for _, c := range v.Commands {
		m.add(`<tr><td class="line">%s</td>`, c.Name)
		for _, figure := range []string{c.Count, c.Failed, c.Path, c.CPU, c.Sum, c.P50, c.P95, c.Max, c.RSS, c.Gain} {
			m.add(`<td class="num">%s</td>`, figure)
		}
		m.add("</tr>\n")
	}
	m.add("</tbody></table></div>\n")
}

func (v *pageView) slots(m *markup) {
	if len(v.Slots) == 0 {
		return
	}
	m.add(`<h2>With other numbers of jobs at once</h2>
<table>
<thead><tr><th class="num">jobs</th><th class="num">would take</th><th class="num">between</th></tr></thead>
<tbody>
`)
	for _, s := range v.Slots {
		m.add(`<tr><td class="num">%s</td><td class="num">%s</td><td class="num">%s</td></tr>
`, strconv.Itoa(s.Slots), s.About, s.Range)
	}
	m.add(`</tbody></table>
<p>Estimates. Shorter than %s is not possible without less work: that is the CPU time on all CPUs, or the longest single process.</p>
`, v.Floor)
}

func (v *pageView) failures(m *markup) {
	if len(v.Failures) == 0 {
		return
	}
	m.add(`<h2>Failures</h2>
<div class="scroll"><table>
<thead><tr><th class="num">at</th><th>ended</th><th>command</th><th>started by</th></tr></thead>
<tbody>
`)
	for _, f := range v.Failures {
		m.add(`<tr><td class="num">%s</td><td class="bad">%s</td><td class="line">%s</td><td class="line">%s</td></tr>
`, f.At, f.Outcome, f.Line, f.Parent)
	}
	m.add("</tbody></table></div>\n")
	if v.FailuresMore > 0 {
		m.add("<p>and %s more</p>\n", strconv.Itoa(v.FailuresMore))
	}
}

// How strip draws: slices of the job's time, and pixels.
const stripSlices, stripWidth, stripHeight = 400, 1000, 60

// strip draws what ran at once as an SVG that needs no script. It has numbers only.
func (v *pageView) strip(m *markup) {
	top := max(float64(v.CPUs), 1)
	for i := range v.Load.Running {
		top = max(top, v.Load.Running[i], v.Load.CPUs[i])
	}
	y := func(value float64) float64 { return stripHeight - value/top*stripHeight }
	points := func(values []float64) {
		for i, value := range values {
			fmt.Fprintf(m, "%.4g,%.4g ", float64(i)*stripWidth/stripSlices, y(value))
		}
	}
	fmt.Fprintf(m, `<svg viewBox="0 0 %d %d" width="100%%" height="%d" preserveAspectRatio="none" role="img" aria-label="running processes and CPUs in use over time, up to %.3g">`, stripWidth, stripHeight, stripHeight, top)
	fmt.Fprintf(m, `<polygon class="run" points="0,%d `, stripHeight)
	points(v.Load.Running)
	fmt.Fprintf(m, `%d,%d"/><polyline class="cpu" points="`, stripWidth, stripHeight)
	points(v.Load.CPUs)
	m.WriteString(`"/>`)
	if v.CPUs > 0 {
		fmt.Fprintf(m, `<line class="cpus" x1="0" x2="%d" y1="%.4[2]g" y2="%.4[2]g"/>`, stripWidth, y(float64(v.CPUs)))
	}
	m.WriteString("</svg>")
}
