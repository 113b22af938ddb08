package report

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/procspan/procspan/test/lifetimes"
	"github.com/procspan/procspan/timeline"
)

func TestHTMLIsTheData(t *testing.T) {
	a := timeline.Analyse(lifetimes.Make(2000))
	var b bytes.Buffer
	if err := HTML(&b, a); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	m, err := Read(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := HTML(&again, timeline.Analyse(m)); err != nil {
		t.Fatal(err)
	}
	if again.String() != page {
		t.Error("the report of a report is another")
	}
}

// The page without its data is small: it comes with every report.
func TestPageSize(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, newPageView(timeline.Analyse(lifetimes.Make(1))).html()+script()); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 60<<10 {
		t.Errorf("the page's code has %d bytes, compressed", b.Len())
	}
}

// A terminal has the summary in twelve lines, then the rows that it bears.
func TestText(t *testing.T) {
	a := timeline.Analyse(lifetimes.Make(2000))
	var summary, all bytes.Buffer
	if err := Summary(&summary, a, 120); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(summary.Bytes(), []byte("\n")); n > 12 {
		t.Errorf("the summary has %d lines:\n%s", n, &summary)
	}
	for _, want := range []string{"make · exit 2 · took ", " · 4002 processes · 41 failed\n", "  path  ", "  look at "} {
		if !strings.Contains(summary.String(), want) {
			t.Errorf("the summary lacks %q:\n%s", want, &summary)
		}
	}
	if err := Text(&all, a, 120, DefaultRows); err != nil {
		t.Fatal(err)
	}
	rows, found := strings.CutPrefix(all.String(), summary.String())
	if n := strings.Count(rows, "\n"); !found || n < 3 || n > DefaultRows+2 {
		t.Errorf("%d rows follow the summary:\n%s", n, rows)
	}
}

// TestScriptIsPacked holds that the packed script is the script; -update packs it.
func TestScriptIsPacked(t *testing.T) {
	want, err := os.ReadFile("page/page.js")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		var packed bytes.Buffer
		z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		_, err = z.Write(want)
		if err := errors.Join(err, z.Close(), os.WriteFile("page/page.js.gz", packed.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
		packedScript = packed.Bytes()
	}
	if script() != string(want) {
		t.Error("page/page.js.gz is not page/page.js; run this test with -update")
	}
}
