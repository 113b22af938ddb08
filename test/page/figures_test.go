package page

import (
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
)

// The bounds that a page is held to. A machine that is busy with other tests is
// allowed slack times as much.
const (
	usableWithin = 1500 // ms, with 100,000 processes
	frameWithin  = 16.7 // ms, in 95 of 100 frames
	slack        = 20
)

// figures says that this run measures: on an idle machine, with a million processes
// as well.
var figures = os.Getenv("PAGE_FIGURES") != ""

// How long a page takes until it can be used, how long a frame takes while it is
// zoomed and panned, and how large it is.
func testFigures(t *testing.T, b *browser) {
	factor := float64(slack)
	if figures {
		factor = 1
	}
	for _, tc := range []struct {
		processes, bytes int
		usable           float64 // ms
		onlyFigures      bool
	}{
		{5_000, 400 << 10, usableWithin, false},
		{100_000, 8 << 20, usableWithin, false},
		{1_000_000, 96 << 20, 15 * usableWithin, true},
	} {
		if tc.onlyFigures && !figures {
			continue
		}
		t.Run(fmt.Sprint(tc.processes), func(t *testing.T) {
			path := writePage(t, makeJob(tc.processes))
			file, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if file.Size() > int64(tc.bytes) {
				t.Errorf("the page has %d bytes, want at most %d", file.Size(), tc.bytes)
			}
			tab := b.newTab(t, 1600, 1000)
			tab.open("file://" + path)
			usable := float64(tab.usable())
			var sinceNavigation float64
			tab.eval(`performance.getEntriesByName('usable')[0].startTime`, &sinceNavigation)
			t.Logf("%d processes: %d bytes, usable %.0f ms after the script began and %.0f ms after the page was asked for", tc.processes, file.Size(), usable, sinceNavigation)
			if usable > tc.usable*factor {
				t.Errorf("usable after %.0f ms, want at most %.0f", usable, tc.usable*factor)
			}
			for _, mode := range []string{"tree", "lanes"} {
				p50, p95 := tab.frames(mode)
				t.Logf("%d processes: a frame of %s takes %.1f ms, and 95 of 100 at most %.1f ms", tc.processes, mode, p50, p95)
				if p95 > frameWithin*factor && tc.processes <= 100_000 {
					t.Errorf("p95 of frames is %.1f ms, want at most %.1f", p95, frameWithin*factor)
				}
			}
			tab.quiet()
		})
	}
}

// frames zooms in, pans and zooms out in 300 frames, and returns the median and the
// 95th percentile of the time from one to the next, in ms.
func (tb *tab) frames(mode string) (p50, p95 float64) {
	tb.t.Helper()
	var times []float64
	tb.eval(fmt.Sprintf(`(async () => {
		procspan.setMode(%q);
		const m = procspan.model, view = procspan.view, times = [], frame = () => new Promise(requestAnimationFrame);
		let last = await frame();
		for (let k = 0; k < 300; k++) {
			const width = m.elapsed * Math.pow(0.97, k < 100 ? k : k < 200 ? 100 : 300 - k), at = m.elapsed * (0.1 + 0.7 * k / 300);
			view.from = at - width / 2; view.to = at + width / 2; view.top = k %% 100 * 9;
			procspan.draw();
			const now = (await frame(), performance.now());
			if (k) times.push(now - last);
			last = now;
		}
		return times;
	})()`, mode), &times)
	slices.Sort(times)
	quantile := func(q float64) float64 { return times[int(math.Ceil(q*float64(len(times))))-1] }
	return quantile(0.5), quantile(0.95)
}
