package deliver

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/procspan/procspan/config"
)

// The console writes one readable line for each span, with what processes chose quoted.
func TestConsole(t *testing.T) {
	o, _ := testOptions(t)
	var text bytes.Buffer
	o.Stdout = &text
	o.Traces[0].Exporter = config.Exporter{Console: &config.Console{}}
	b := mustOpen(t, o)
	export(b, 3)
	shutdown(t, b)
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "1970-01-01T00:00:00.000000Z span process 0s span_id=0000000000000001 service.name=\"\" padding=xxx") {
		t.Errorf("got %q", text.String())
	}
	if got := string(appendText(nil, "a\x1b[31m b=\"")); got != `"a\x1b[31m b=\""` {
		t.Errorf("a control sequence: got %s", got)
	}
}

// A reader of standard output that takes nothing holds up its exporter, and not the end.
func TestStdoutBlocks(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	o, _ := testOptions(t)
	o.Stdout = w
	o.Traces[0].Exporter = config.Exporter{File: &config.File{Path: config.Stdout}}
	b := mustOpen(t, o)
	export(b, 1000) // more than a pipe holds
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	b.Shutdown(ctx)
	s, _ := b.Stats()
	wantSum(t, s)
	if s.Dropped[Shutdown] == 0 || s.Waiting != 0 {
		t.Errorf("got %+v, want the rest dropped", s)
	}
	w.Close() // ends the goroutine that writes
}
