package main

import (
	"fmt"
	"html"
	"math"
	"strings"
	"time"
)

// Measures of the picture, in its own units.
const (
	plotWidth   = 1000
	labelWidth  = 224
	panelWidth  = 168
	panelGap    = 16
	valueWidth  = 46 // right of the longest bar
	firstRow    = 122
	rowHeight   = 46
	barHeight   = 16
	footHeight  = 44
	plotMargin  = 24
	panelsBegin = plotMargin + labelWidth
)

// The card has a ground of its own, so that it reads on any page.
const plotStyle = `
.card{fill:#ffffff;stroke:#d8dee4}
text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:#1f2328}
.title{font-size:18px;font-weight:600}
.head{font-size:12.5px;font-weight:600}
.name{font-size:13.5px;font-weight:600}
.value{font-size:12.5px;font-variant-numeric:tabular-nums}
.faint{font-size:11.5px;fill:#59636e}
.rule{stroke:#d8dee4;stroke-width:1}
.axis{stroke:#8c959f;stroke-width:1}
.own{fill:#0969da}
.other{fill:#afb8c1}
.range{stroke:#1f2328;stroke-width:1.5;stroke-opacity:.65;fill:none}
@media (prefers-color-scheme:dark){
.card{fill:#0d1117;stroke:#3d444d}
text{fill:#f0f6fc}
.faint{fill:#9198a1}
.rule{stroke:#2a313c}
.axis{stroke:#656c76}
.own{fill:#4493f8}
.other{fill:#565e69}
.range{stroke:#f0f6fc}
}
`

// panel is one column of the picture: the same number of each contender.
type panel struct {
	head, unit string
	base       float64 // where bars begin
	value      func(contest) spread
	label      string // format of a value
}

func panels() []panel {
	single := func(f func(contest) float64) func(contest) spread {
		return func(c contest) spread { v := f(c); return spread{v, v, v} }
	}
	return []panel{
		{"Spawn time", "with ÷ without tracer", 1, contest.ratio, "%.2f"},
		{"Tracer's CPU", "µs a lifetime", 0, contest.cpu, "%.1f"},
		{"Kernel programs", "µs a lifetime", 0, single(func(c contest) float64 { return c.InBPF.micros() }), "%.1f"},
		{"Memory", "RSS, MB", 0, single(func(c contest) float64 { return c.rss() / 1e6 }), "%.0f"},
	}
}

// plot draws the contenders side by side, as SVG.
func plot(r *results) string {
	height := firstRow + rowHeight*len(r.Contenders) + footHeight
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="What tracing every process costs, by tracer">`,
		plotWidth, height, plotWidth, height)
	fmt.Fprintf(&b, "\n<style>%s</style>\n", plotStyle)
	fmt.Fprintf(&b, `<rect class="card" x="0.5" y="0.5" width="%d" height="%d" rx="8"/>`+"\n", plotWidth-1, height-1)
	text(&b, "title", plotMargin, 34, "start", "What tracing every process costs")
	text(&b, "faint", plotMargin, 54, "start", fmt.Sprintf(
		"%d workers start %s short processes a round; medians of %d pairs of rounds, least and most as a line. Less is better.",
		workers, thousands(r.Plan.Lifetimes), r.Plan.Pairs))
	for i, c := range r.Contenders {
		drawLabel(&b, c, rowMiddle(i))
	}
	for i, p := range panels() {
		drawPanel(&b, p, r.Contenders, float64(panelsBegin+i*(panelWidth+panelGap)))
	}
	foot := fmt.Sprintf("procspan %s · Linux %s · %d CPUs, %s · %s", first(r.Versions["procspan"]),
		r.Machine.Kernel, r.Machine.CPUs, r.Machine.Model, r.Begun.Format(time.DateOnly))
	if others := r.others(); others >= 1 {
		foot += fmt.Sprintf(" · other work took %.0f %% of the machine", others)
	}
	if r.Quick {
		foot = "Quick: too short to be quoted. " + foot
	}
	text(&b, "faint", plotMargin, float64(height-18), "start", foot)
	b.WriteString("</svg>\n")
	return b.String()
}

// rowMiddle is where the bar of a row has its middle.
func rowMiddle(row int) float64 { return firstRow + rowHeight*(float64(row)+0.5) }

func drawLabel(b *strings.Builder, c contest, y float64) {
	fmt.Fprintf(b, `<line class="rule" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/>`+"\n",
		plotMargin, y-rowHeight/2, plotWidth-plotMargin, y-rowHeight/2)
	name, what, _ := strings.Cut(c.Title, ": ")
	text(b, "name", plotMargin, y-2, "start", name)
	text(b, "faint", plotMargin, y+14, "start", what)
	if c.Absent != "" {
		text(b, "faint", panelsBegin, y+4, "start", "left out: "+c.Absent)
	}
}

func drawPanel(b *strings.Builder, p panel, all []contest, left float64) {
	text(b, "head", left, 86, "start", p.head)
	text(b, "faint", left, 103, "start", p.unit)
	low, high := p.base, p.base
	for _, c := range all {
		if c.Absent == "" {
			v := p.value(c)
			low, high = min(low, v.min), max(high, v.max)
		}
	}
	if high == low {
		high = low + 1
	}
	const room = panelWidth - valueWidth
	x := func(value float64) float64 { return left + room*(value-low)/(high-low) }
	for i, c := range all {
		if c.Absent != "" {
			continue
		}
		v, y := p.value(c), rowMiddle(i)
		class := "other"
		if strings.HasPrefix(c.Name, "procspan") {
			class = "own"
		}
		from, to := min(x(p.base), x(v.median)), max(x(p.base), x(v.median))
		fmt.Fprintf(b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%d" rx="2"/>`, class, from, y-barHeight/2, max(to-from, 1), barHeight)
		end := to
		if v.max > v.min {
			end = max(end, x(v.max))
			fmt.Fprintf(b, `<path class="range" d="M%.1f %.1fH%.1fM%.1f %.1fv6M%.1f %.1fv6"/>`, x(v.min), y, x(v.max), x(v.min), y-3, x(v.max), y-3)
		}
		fmt.Fprintf(b, `<line class="axis" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", x(p.base), y-rowHeight/2, x(p.base), y+rowHeight/2)
		text(b, "value", end+6, y+4.5, "start", fmt.Sprintf(p.label, v.median))
	}
}

func text(b *strings.Builder, class string, x, y float64, anchor, s string) {
	fmt.Fprintf(b, `<text class="%s" x="%s" y="%s" text-anchor="%s">%s</text>`+"\n", class, short(x), short(y), anchor, html.EscapeString(s))
}

// short writes a coordinate with no more digits than it needs.
func short(v float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", math.Round(v*10)/10), ".0")
}

// thousands groups the digits of a number.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}

func first(words string) string {
	word, _, _ := strings.Cut(words, " ")
	return word
}
