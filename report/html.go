package report

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"sync"

	"github.com/procspan/procspan/timeline"
)

//go:embed page/page.js.gz
var packedScript []byte

// script is page/page.js.
var script = sync.OnceValue(func() string {
	z, err := gzip.NewReader(bytes.NewReader(packedScript))
	if err != nil {
		panic(err) // a test reads it
	}
	text, err := io.ReadAll(z)
	if err != nil {
		panic(err)
	}
	return string(text)
})

//go:embed page/page.css
var style string

//go:embed page/page.html
var page string

// The page's data stand in a script element that no browser runs.
const (
	dataBegin = "<script type=\"text/plain\" id=\"data\">\n"
	dataEnd   = "\n</script>\n"
)

// HTML writes the page of a job: one file that needs nothing else.
func HTML(w io.Writer, a *timeline.Analysis) error {
	t, err := template.New("page").Parse(page)
	if err != nil {
		return fmt.Errorf("read the page's template: %w", err)
	}
	view := newPageView(a)
	view.Style, view.StyleHash = template.CSS(style), hash(style)
	view.ScriptHash = hash(script())
	if err := t.Execute(w, view); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := writeData(w, a); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if _, err := io.WriteString(w, "<script>"+script()+"</script>\n</body>\n</html>\n"); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// hash is how a Content-Security-Policy names an inline script or style sheet.
func hash(s string) template.HTMLAttr {
	sum := sha256.Sum256([]byte(s))
	return template.HTMLAttr("sha256-" + base64.StdEncoding.EncodeToString(sum[:]))
}

// writeData writes the model and its path, compressed, as lines of base64.
func writeData(w io.Writer, a *timeline.Analysis) error {
	if _, err := io.WriteString(w, dataBegin); err != nil {
		return err
	}
	text := base64.NewEncoder(base64.StdEncoding, &lines{w: w})
	z, err := gzip.NewWriterLevel(text, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := a.Encode(z); err != nil {
		return err
	}
	if err := a.Path.Encode(z); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	if err := text.Close(); err != nil {
		return err
	}
	_, err = io.WriteString(w, dataEnd)
	return err
}

// lines breaks what is written through it into lines that editors bear.
type lines struct {
	w  io.Writer
	at int
}

const lineLength = 4096

func (l *lines) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		if l.at == lineLength {
			if _, err := io.WriteString(l.w, "\n"); err != nil {
				return n, err
			}
			l.at = 0
		}
		part := b[:min(len(b), lineLength-l.at)]
		done, err := l.w.Write(part)
		n += done
		if err != nil {
			return n, err
		}
		l.at += len(part)
		b = b[len(part):]
	}
	return n, nil
}

// strip draws what ran at once as an SVG that needs no script.
func strip(m *timeline.Model) template.HTML {
	const n, width, height = 400, 1000, 60
	load := m.Load(n)
	top := max(float64(m.Job.CPUs), 1)
	for i := range load.Running {
		top = max(top, load.Running[i], load.CPUs[i])
	}
	points := func(values []float64) string {
		var b strings.Builder
		for i, v := range values {
			fmt.Fprintf(&b, "%.4g,%.4g ", float64(i)*width/n, height-v/top*height)
		}
		return b.String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" width="100%%" height="%d" preserveAspectRatio="none" role="img" aria-label="running processes and CPUs in use over time, up to %.3g">`, width, height, height, top)
	fmt.Fprintf(&b, `<polygon class="run" points="0,%d %s%d,%d"/>`, height, points(load.Running), width, height)
	fmt.Fprintf(&b, `<polyline class="cpu" points="%s"/>`, points(load.CPUs))
	if m.Job.CPUs > 0 {
		y := height - float64(m.Job.CPUs)/top*height
		fmt.Fprintf(&b, `<line class="cpus" x1="0" x2="%d" y1="%.4g" y2="%.4g"/>`, width, y, y)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) // numbers only
}
