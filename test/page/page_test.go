package page

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/procspan/procspan/report"
	"github.com/procspan/procspan/test/lifetimes"
	"github.com/procspan/procspan/timeline"
)

// TestPage holds all tests of pages, so that they share one browser: to start it costs
// more than most of them.
func TestPage(t *testing.T) {
	b := startBrowser(t)
	for name, test := range map[string]func(*testing.T, *browser){
		"fetches nothing": testFetchesNothing, "figures": testFigures, "pixels": testPixels, "failures": testFailures, "hidden": testHidden, "without scripts": testWithoutScripts,
		"search": testSearch, "fragment": testFragment, "keys": testKeys, "table": testTable, "dark": testDark, "narrow": testNarrow,
		"hostile": testHostile,
	} {
		t.Run(name, func(t *testing.T) { test(t, b) })
	}
}

// writePage writes the report of a job to a file and returns its path.
func writePage(t *testing.T, a *timeline.Analysis) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "job.html")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := report.HTML(f, a); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// usable returns when the page says that it can be used, and in how many
// milliseconds since its script began.
func (tb *tab) usable() (ms int) {
	tb.t.Helper()
	tb.eval(`new Promise((done, fail) => {
		const look = () => {
			const problem = document.getElementById('problem').textContent, ms = document.documentElement.dataset.usable;
			if (problem) fail(new Error(problem)); else if (ms) done(+ms); else setTimeout(look, 5);
		};
		look();
	})`, &ms)
	return ms
}

// makeJob is the job of a make with n processes.
func makeJob(n int) *timeline.Analysis { return timeline.Analyse(lifetimes.Make((n - 2) / 2)) }

// A page opens from a file and from a server, and requests nothing.
func testFetchesNothing(t *testing.T, b *browser) {
	path := writePage(t, makeJob(5000))
	var mu sync.Mutex
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.URL.Path)
		mu.Unlock()
		http.ServeFile(w, r, path)
	}))
	defer server.Close()
	for name, url := range map[string]string{"file": "file://" + path, "http": server.URL + "/job.html"} {
		t.Run(name, func(t *testing.T) {
			tab := b.newTab(t, 1280, 900)
			tab.open(url)
			t.Logf("5,000 processes: usable after %d ms", tab.usable())
			tab.screenshot("light-" + name)
			tab.quiet()
		})
	}
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(asked, " "); got != "/job.html" {
		t.Errorf("the server was asked for %s, want the page only", got)
	}
}
