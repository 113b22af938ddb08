package report

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/procspan/procspan/timeline"
)

func TestMarkup(t *testing.T) {
	var m markup
	m.add(`<li class="%s">%s, 20 %%</li>`, `"><script>`, `</li>'&%s`)
	const want = `<li class="&#34;&gt;&lt;script&gt;">&lt;/li&gt;&#39;&amp;%s, 20 %</li>`
	if m.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &m, want)
	}
}

// Text of processes in a comparison, where no browser's test sees it.
func TestHostileDiff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "diff.html")
	hostile := timeline.Difference{Kind: timeline.New, Text: "<script>alert(1)</script>\x1b[2J\u202e"}
	if err := DiffHTML(path, &timeline.Comparison{Commands: []timeline.Difference{hostile}}); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "\x1b", "\u202e"} {
		if bytes.Contains(page, []byte(bad)) {
			t.Errorf("%q is in the page", bad)
		}
	}
	if !bytes.Contains(page, []byte("&lt;script&gt;alert(1)&lt;/script&gt;")) {
		t.Errorf("the text is not in the page:\n%s", page)
	}
}
