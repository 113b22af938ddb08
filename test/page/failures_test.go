package page

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/procspan/procspan/test/lifetimes"
	"github.com/procspan/procspan/timeline"
)

// A process that failed has its pixel in the lanes, however narrow it is and whatever
// shares the pixel with it.
func testFailures(t *testing.T, b *browser) {
	a := timeline.Analyse(lifetimes.Make(2499))
	tab := openJob(t, b, a, "")
	tab.key("l")
	d := &drawing{a: a, rows: laneRows(a)}
	checked := 0
	for _, share := range []float64{1, 0.6, 0.25} {
		tab.eval(fmt.Sprintf(`Object.assign(procspan.view, {from: 0, to: %f, top: 0}), procspan.draw(),
			{From: procspan.view.from, To: procspan.view.to, Width: document.getElementById('timeline').clientWidth, Height: document.getElementById('timeline').clientHeight}`,
			share*float64(a.Elapsed)), d)
		type point struct{ X, Y int }
		var points []point
		for i := range a.Len() {
			from, to := d.span(i)
			y := bodyTop + int(a.Lane[i])*rowHeight + 4
			if a.Has(i, timeline.Failed) && to-from < 2.9 && from >= 0 && to < d.Width && float64(y) < d.Height {
				points = append(points, point{int(from), y})
			}
		}
		text, err := json.Marshal(points)
		if err != nil {
			t.Fatal(err)
		}
		var found []rgb
		tab.eval(fmt.Sprintf(`(() => { const c = document.getElementById('timeline'), copy = new OffscreenCanvas(c.width, c.height), g = copy.getContext('2d', {willReadFrequently: true});
			g.drawImage(c, 0, 0);
			return %s.map(({X, Y}) => Array.from(g.getImageData(X, Y, 1, 1).data.slice(0, 3))); })()`, text), &found)
		for k, p := range points {
			if (found[k] != rgb{213, 94, 0}) {
				t.Errorf("pixel %v of %.2f of the job: colour %v is not that of a failure", p, share, found[k])
			}
		}
		checked += len(points)
	}
	if checked < 20 {
		t.Errorf("only %d failures are narrow", checked)
	}
	t.Logf("%d narrow failures checked", checked)
	tab.quiet()
}

// A page that is not shown yet has no width, and is drawn when it is shown.
func testHidden(t *testing.T, b *browser) {
	tab := openJob(t, b, timeline.Analyse(lifetimes.Make(20)), "")
	var thrown string
	tab.eval(`(() => { const s = document.getElementById('stage');
		s.style.display = 'none'; dispatchEvent(new Event('resize'));
		try { procspan.draw(); procspan.setMode('lanes'); procspan.draw(); return ''; } catch (e) { return String(e); } finally { s.style.display = ''; } })()`, &thrown)
	if thrown != "" {
		t.Error(thrown)
	}
	tab.quiet()
}
