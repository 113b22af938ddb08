package page

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/procspan/procspan/test/lifetimes"
	"github.com/procspan/procspan/timeline"
)

// What the page draws where, said a second time: from the model, by the rules in
// docs/reports.md, with the sizes below.
const (
	rowHeight  = 18
	bodyTop    = 64 + 22 + 18 // the strip, the path, the axis
	labelWidth = 330
	foldOver   = 8
	foldFrom   = 100
)

// drawing is what a view of a job shows.
type drawing struct {
	a    *timeline.Analysis
	rows [][]int // the processes of each row, by start
	left float64 // of the time
	// The view, read from the page.
	From, To, Top, Width, Height float64
}

// span is where a process is drawn.
func (d *drawing) span(i int) (from, to float64) {
	x := func(t int64) float64 {
		return d.left + (float64(t)-d.From)/(d.To-d.From)*(d.Width-d.left)
	}
	from = x(d.a.Start[i])
	return from, max(x(d.a.End[i]), from+1)
}

// around returns the processes of a row that are near a pixel, and those that cover
// it and its neighbours.
func (d *drawing) around(row []int, px int) (near, over []int) {
	for _, i := range row {
		from, to := d.span(i)
		if from < float64(px+4) && to > float64(px-3) {
			near = append(near, i)
		}
		if from < float64(px-1) && to > float64(px+2) {
			over = append(over, i)
		}
	}
	return near, over
}

// colours are of each process: failed ones have one of their own, the six programs
// with the most time have one each.
func colours(a *timeline.Analysis) func(i int) rgb {
	palette := []rgb{{86, 180, 233}, {230, 159, 0}, {0, 158, 115}, {204, 121, 167}, {240, 228, 66}, {0, 114, 178}}
	sums := map[timeline.Text]int64{}
	var programs []timeline.Text
	for i := range a.Len() {
		p := a.Program[i]
		if _, ok := sums[p]; !ok {
			programs = append(programs, p)
		}
		sums[p] += a.End[i] - a.Start[i]
	}
	slices.SortStableFunc(programs, func(x, y timeline.Text) int { return int(sums[y]/1000 - sums[x]/1000) })
	return func(i int) rgb {
		at := slices.Index(programs, a.Program[i])
		switch {
		case a.Has(i, timeline.Failed):
			return rgb{213, 94, 0}
		case at < len(palette):
			return palette[at]
		}
		return rgb{153, 153, 153}
	}
}

// rgb is the colour of a pixel.
type rgb [3]float64

var paper, grid = rgb{255, 255, 255}, rgb{227, 229, 232}

// between reports whether a colour is mixed of two.
func (c rgb) between(a, b rgb) bool {
	share, span := 0.0, 0.0
	for k := range c {
		share += (c[k] - a[k]) * (b[k] - a[k])
		span += (b[k] - a[k]) * (b[k] - a[k])
	}
	share = min(max(share/max(span, 1), 0), 1)
	for k := range c {
		if math.Abs(a[k]+share*(b[k]-a[k])-c[k]) > 3 {
			return false
		}
	}
	return true
}

// laneRows are the lanes of a job, as the model has them.
func laneRows(a *timeline.Analysis) (rows [][]int) {
	for i, lane := range a.Lane {
		for int(lane) >= len(rows) {
			rows = append(rows, nil)
		}
		rows[lane] = append(rows[lane], i)
	}
	return rows
}

// packed are the lanes of some processes: each stands in the first that is free.
func packed(a *timeline.Analysis, list []int) (rows [][]int) {
	slices.Sort(list)
next:
	for _, i := range list {
		for r, row := range rows {
			last := row[len(row)-1]
			if max(a.End[last], a.Start[last]+1) <= a.Start[i] {
				rows[r] = append(row, i)
				continue next
			}
		}
		rows = append(rows, []int{i})
	}
	return rows
}

// treeRows are the rows below some siblings; opened says that all groups are open.
func treeRows(a *timeline.Analysis, siblings []int32, opened bool) (rows [][]int) {
	groups := map[timeline.Text][]int{}
	for _, i := range siblings {
		if len(a.Children(int(i))) == 0 || a.Len() > foldFrom {
			groups[a.Program[i]] = append(groups[a.Program[i]], int(i))
		}
	}
	done := map[timeline.Text]bool{}
	for _, i := range siblings {
		group := groups[a.Program[i]]
		if len(group) <= foldOver || !slices.Contains(group, int(i)) {
			rows = append(append(rows, []int{int(i)}), treeRows(a, a.Children(int(i)), opened)...)
			continue
		}
		if done[a.Program[i]] {
			continue
		}
		done[a.Program[i]] = true
		rows = append(rows, group)
		if opened {
			all := slices.Clone(group)
			for at := 0; at < len(all); at++ {
				for _, c := range a.Children(all[at]) {
					all = append(all, int(c))
				}
			}
			rows = append(rows, packed(a, all)...)
		}
	}
	return rows
}

// At random pixels of many views, the process that the page finds is one that the
// model has there, and so is the colour that is really drawn.
func testPixels(t *testing.T, b *browser) {
	for _, tc := range []struct {
		name   string
		job    int
		opened bool
		lanes  bool
	}{
		{"a small tree", 42, false, false},
		{"groups", 802, false, false},
		{"open groups", 802, true, false},
		{"lanes", 802, false, true},
		{"many lanes", 5000, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := timeline.Analyse(lifetimes.Make((tc.job - 2) / 2))
			d := &drawing{a: a, left: labelWidth}
			tab := openJob(t, b, a, "")
			if tc.lanes {
				d.left, d.rows = 0, laneRows(a)
				tab.key("l")
			} else {
				d.rows = treeRows(a, []int32{int32(a.Root)}, tc.opened)
			}
			if tc.opened { // by the mouse, on the label of the group
				at := slices.IndexFunc(treeRows(a, []int32{int32(a.Root)}, false), func(r []int) bool { return len(r) > 1 })
				tab.click(20, float64(bodyTop+at*rowHeight+9))
			}
			var rows int
			if tab.eval(`procspan.rows().length`, &rows); rows != len(d.rows) {
				t.Fatalf("the page has %d rows, want %d", rows, len(d.rows))
			}
			tab.eval(`void (CanvasRenderingContext2D.prototype.fillText = () => {})`, nil) // letters cover what is below
			checked := 0
			for zoom := range 8 {
				checked += d.check(t, tab, rand.New(rand.NewPCG(1, uint64(zoom))), zoom)
			}
			if checked < 200 {
				t.Errorf("only %d pixels are of one process or none", checked)
			}
			t.Logf("%d rows, %d colours of pixels checked", rows, checked)
			tab.quiet()
		})
	}
}

// check sets a random view and compares pixels in it. It returns how many colours
// could be compared.
func (d *drawing) check(t *testing.T, tab *tab, r *rand.Rand, zoom int) (checked int) {
	width := float64(d.a.Elapsed) / float64(int(1)<<zoom)
	from := r.Float64() * (float64(d.a.Elapsed) - width)
	tab.eval(fmt.Sprintf(`Object.assign(procspan.view, {from: %f, to: %f, top: %d}), procspan.draw(),
		{From: procspan.view.from, To: procspan.view.to, Top: procspan.view.top, Width: document.getElementById('timeline').clientWidth, Height: document.getElementById('timeline').clientHeight}`,
		from, from+width, r.IntN(max(len(d.rows), 1))*rowHeight), d)
	type point struct{ X, Y int }
	var points []point
	for range 150 {
		row := int(d.Top)/rowHeight + r.IntN(int(d.Height-bodyTop)/rowHeight)
		y := bodyTop + row*rowHeight - int(d.Top) + 4
		if row < len(d.rows) && y >= bodyTop && float64(y) < d.Height {
			points = append(points, point{int(d.left) + 2 + r.IntN(int(d.Width-d.left)-4), y})
		}
	}
	text, err := json.Marshal(points)
	if err != nil {
		t.Fatal(err)
	}
	var found []struct {
		Hit    int
		Colour rgb
	}
	tab.eval(fmt.Sprintf(`(() => { const c = document.getElementById('timeline'), copy = new OffscreenCanvas(c.width, c.height), g = copy.getContext('2d', {willReadFrequently: true});
		g.drawImage(c, 0, 0);
		return %s.map(({X, Y}) => ({Hit: procspan.hit(X + 0.5, Y + 0.5), Colour: Array.from(g.getImageData(X, Y, 1, 1).data.slice(0, 3))})); })()`, text), &found)
	colour := colours(d.a)
	for k, p := range points {
		row := (p.Y - bodyTop + int(d.Top)) / rowHeight
		near, over := d.around(d.rows[row], p.X)
		got := found[k]
		if got.Hit >= 0 && !slices.Contains(near, got.Hit) || got.Hit < 0 && len(over) > 0 {
			t.Errorf("zoom %d, pixel %v: process %d is found, want one of %v", zoom, p, got.Hit, near)
		}
		if len(near) != len(over) { // an edge is mixed of both
			continue
		}
		right := len(near) == 0 && got.Colour.between(paper, grid)
		for _, i := range near {
			c := colour(i)
			right = right || got.Colour.between(c, c) || d.a.Has(i, timeline.Failed) && got.Colour.between(c, paper) // its stripes
		}
		checked++
		if !right {
			t.Errorf("zoom %d, pixel %v: colour %v is not that of any of %v", zoom, p, got.Colour, near)
		}
	}
	return checked
}

// click presses and releases the mouse at a point of the drawing.
func (tb *tab) click(x, y float64) {
	tb.t.Helper()
	var at struct{ X, Y float64 }
	tb.eval(`(() => { document.getElementById('stage').scrollIntoView(); const r = document.getElementById('overlay').getBoundingClientRect(); return {X: r.x, Y: r.y}; })()`, &at)
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		tb.do("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at.X + x, "y": at.Y + y, "button": "left", "clickCount": 1}, nil)
	}
}
