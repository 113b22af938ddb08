package report

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"io"
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

// The page's data stand in a script element that no browser runs.
const (
	dataBegin = "<script type=\"text/plain\" id=\"data\">\n"
	dataEnd   = "\n</script>\n"
)

// HTML writes the page of a job: one file that needs nothing else.
func HTML(w io.Writer, a *timeline.Analysis) error {
	if _, err := io.WriteString(w, newPageView(a).html()); err != nil {
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
func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
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
