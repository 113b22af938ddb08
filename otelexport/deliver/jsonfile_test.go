package deliver

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/test/tinydisk"
)

// lineFiles are limits that are not reached.
var lineFiles = config.Files{MaxSize: 1 << 30, MaxAge: time.Hour, Keep: 3}

// safePath returns a path in a new directory that no other user can write to.
func safePath(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "traces.jsonl")
}

// toFile returns an exporter of spans to a file.
func toFile(o Options, path string) *Destination {
	return &Destination{Batch: o.Traces[0].Batch, Exporter: config.Exporter{File: &config.File{Path: path}}}
}

// spansIn returns the ids of the spans in files, and fails if a line is not whole.
func spansIn(t testing.TB, paths ...string) (ids []string) {
	t.Helper()
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var traces struct {
				ResourceSpans []struct {
					ScopeSpans []struct{ Spans []struct{ SpanID string } }
				}
			}
			if err := json.Unmarshal(line, &traces); err != nil || line[len(line)-1] != '\n' {
				t.Fatalf("%s: %v in %.100q", path, err, line)
			}
			for _, r := range traces.ResourceSpans {
				for _, s := range r.ScopeSpans {
					for _, span := range s.Spans {
						ids = append(ids, span.SpanID)
					}
				}
			}
		}
	}
	return ids
}

func wantSpans(t testing.TB, ids []string, n int) {
	t.Helper()
	for i, id := range ids {
		if id != hex.EncodeToString(item(i+1).id()) {
			t.Fatalf("span %d has id %s", i, id)
		}
	}
	if len(ids) != n {
		t.Errorf("got %d spans, want %d", len(ids), n)
	}
}

// What a collector gets and what a file gets is the same, in lines that readers bear.
func TestFileExporter(t *testing.T) {
	o, out := testOptions(t)
	path := safePath(t)
	collector := reachable()
	o.Files = lineFiles
	o.Traces = []*Destination{to(o, "c:1", collector), toFile(o, path)}
	o.Traces[0].Batch.MaxExportBatchSize, o.Traces[1].Batch.MaxExportBatchSize = 1000, 1000
	b := mustOpen(t, o)
	export(b, 1000)
	shutdown(t, b)
	wantStatsOf(t, b, map[string]Stats{"c:1": {Accepted: 1000, Delivered: 1000}, path: {Accepted: 1000, Delivered: 1000}})
	ids := spansIn(t, path)
	wantSpans(t, ids, 1000)
	for _, id := range ids {
		raw, _ := hex.DecodeString(id)
		if !bytes.Contains(collector.sent, raw) {
			t.Errorf("the collector has no span %s", id)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v (%v), want mode 0600", info.Mode(), err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20) // the limit of the Collector's receiver
	for lines.Scan() {
	}
	if lines.Err() != nil || out.String() != "" {
		t.Errorf("%v; log:\n%s", lines.Err(), out)
	}
}

// A torn tail is cut, and that is logged; what is not procspan's is ended.
func TestTornTail(t *testing.T) {
	line := `{"resourceSpans":[]}` + "\n"
	for _, tc := range []struct{ name, before, kept, log string }{
		{"none", line, line, ""},
		{"empty", "", "", ""},
		{"half a line", line + line[:15], line, "torn line cut"},
		{"a few bytes", line + "{", line, "torn line cut"},
		{"a long one", line + line[:15] + strings.Repeat("x", 3*tailBlock), line, "torn line cut"},
		{"zeros of a power cut", line + strings.Repeat("\x00", 100), line, "torn line cut"},
		{"nothing but half a line", line[:15], "", "torn line cut"},
		{"of another program", "some text", "some text\n", "does not end with a line of procspan"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := safePath(t)
			if err := os.WriteFile(path, []byte(tc.before), 0o600); err != nil {
				t.Fatal(err)
			}
			out := &logs{}
			f := newFile(path, lineFiles, slog.New(slog.NewTextHandler(out, nil)))
			defer f.close()
			for range 2 {
				if err := f.write(t.Context(), []byte(line)); err != nil {
					t.Fatal(err)
				}
			}
			got, err := os.ReadFile(path)
			if want := tc.kept + line + line; string(got) != want || err != nil {
				t.Errorf("got %q (%v), want %q", got, err, want)
			}
			if (tc.log == "") != (out.String() == "") || out.count(tc.log) == 0 {
				t.Errorf("want %q in the log:\n%s", tc.log, out)
			}
		})
	}
}

// Files are renamed by size and by age, and the oldest is removed.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := safePath(t)
		f := newFile(path, config.Files{MaxSize: 100, MaxAge: time.Hour, Keep: 2}, slog.New(slog.DiscardHandler))
		defer f.close()
		write := func(c string, n int) {
			t.Helper()
			if err := f.write(t.Context(), []byte(strings.Repeat(c, n-1)+"\n")); err != nil {
				t.Fatal(err)
			}
		}
		want := func(names string) {
			t.Helper()
			var got []string
			for _, name := range []string{path, path + ".1", path + ".2", path + ".3"} {
				if text, err := os.ReadFile(name); err == nil {
					got = append(got, fmt.Sprintf("%c%d", text[0], len(text)))
				}
			}
			if fmt.Sprint(got) != names {
				t.Errorf("got %v, want %s", got, names)
			}
		}
		write("a", 60)
		write("a", 40)
		want("[a100]")
		write("b", 500) // one line alone may be longer
		want("[b500 a100]")
		write("c", 1)
		f.born = time.Now().Add(-time.Hour)
		write("d", 1)
		want("[\n1 \n1 b500]")
		f.Keep = 0
		write("e", 100)
		want("[e100 \n1 b500]")
	})
}

// logrotate moves the file: what comes next is in a new one. So is what comes after the
// file, or its directory, was removed.
func TestFileIsMoved(t *testing.T) {
	path := safePath(t)
	f := newFile(path, lineFiles, slog.New(slog.DiscardHandler))
	defer f.close()
	write := func(text string) {
		t.Helper()
		if err := f.write(t.Context(), []byte(text+"\n")); err != nil {
			t.Fatal(err)
		}
	}
	write("a")
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	write("b")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write("c")
	got, _ := os.ReadFile(path)
	moved, _ := os.ReadFile(path + ".moved")
	if string(got) != "c\n" || string(moved) != "a\n" {
		t.Errorf("got %q, and %q in the moved file", got, moved)
	}
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	write("d")
	if got, _ := os.ReadFile(path); string(got) != "d\n" {
		t.Errorf("got %q in a new directory", got)
	}
}

// Nothing is written where another user could redirect it.
func TestUnsafeFile(t *testing.T) {
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	link := safePath(t)
	if err := os.Symlink("/dev/null", link); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"a directory for all": filepath.Join(open, "f"), "a link": link, "a directory": filepath.Dir(link)} {
		o, _ := testOptions(t)
		transport := newLines(Spans, toFile(o, path), &o)
		for what, parts := range map[string][]Part{"write": {{Items: item(1).span(), ends: []int{1}}}, "probe": nil} {
			if v := transport.Upload(t.Context(), parts); v.Outcome != RetryUntilFixed || v.Hint == "" {
				t.Errorf("%s, %s: got %+v, want RetryUntilFixed", name, what, v)
			}
		}
	}
}

// While the disk is full, what waits beyond the queue is dropped with its reason, and
// no line is torn; then it goes on.
func TestFileOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, out := testOptions(t)
		disk := tinydisk.New(t, 4<<20)
		path := filepath.Join(disk, "traces.jsonl")
		o.Files, o.Traces = lineFiles, []*Destination{toFile(o, path)}
		b := mustOpen(t, o)
		n := 0
		more := func(count int) {
			for range count {
				n++
				b.export(item(n), nil)
			}
			time.Sleep(time.Second)
		}
		more(100)
		filler := tinydisk.Fill(t, disk)
		for range 30 {
			more(100)
		}
		spansIn(t, path)
		s, _ := b.Stats()
		if s.Dropped[FileFull] == 0 || s.Dropped.Total() != s.Dropped[FileFull] || s.Waiting != 1000 {
			t.Errorf("got %+v, want some dropped for the full disk", s)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		b.Shutdown(t.Context())
		dropped := s.Dropped
		wantStats(t, b, Stats{Accepted: 3100, Delivered: 3100 - dropped[FileFull], Dropped: dropped})
		if got := len(spansIn(t, path)); got != int(3100-dropped[FileFull]) {
			t.Errorf("got %d spans in the file, want %d", got, 3100-dropped[FileFull])
		}
		for _, want := range []string{"code=ENOSPC", "reason=file_full", "export recovered"} {
			if out.count(want) == 0 {
				t.Errorf("no %q in the log:\n%s", want, out)
			}
		}
	})
}

// Several processes write to one file, which is renamed all the while.
func TestSeveralWriters(t *testing.T) {
	path := safePath(t)
	var all sync.WaitGroup
	const writers, lines = 4, 200
	for w := range writers {
		all.Go(func() {
			f := newFile(path, config.Files{MaxSize: 20_000, MaxAge: time.Hour, Keep: 1000}, slog.New(slog.DiscardHandler))
			defer f.close()
			for i := range lines {
				line := fmt.Sprintf(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"spanId":"%d.%d","name":"%s"}]}]}]}`+"\n", w, i, strings.Repeat("x", 300))
				if err := f.write(context.Background(), []byte(line)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	paths, err := filepath.Glob(path + "*")
	if err != nil || len(paths) < 10 {
		t.Fatalf("got %d files (%v), want more", len(paths), err)
	}
	seen := map[string]bool{}
	for _, id := range spansIn(t, paths...) {
		seen[id] = true
	}
	if len(seen) != writers*lines {
		t.Errorf("got %d lines, want %d", len(seen), writers*lines)
	}
}

// killedWriter is the variable that makes this test program write to a file until it is
// killed.
const killedWriter = "DELIVER_TEST_FILE"

func writeUntilKilled(path string) {
	f := newFile(path, lineFiles, slog.New(slog.DiscardHandler))
	line := []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"spanId":"` + strings.Repeat("x", 1<<20) + `"}]}]}]}` + "\n")
	for i := 0; ; i++ {
		if err := f.write(context.Background(), line); err != nil {
			panic(err)
		}
		if i == 0 {
			fmt.Println("written")
		}
		if i%8 == 7 {
			_ = f.f.Truncate(0)
		}
	}
}

// Whenever a writer is killed, the next one leaves whole lines only.
func TestKilledWriter(t *testing.T) {
	path := safePath(t)
	out := &logs{}
	for range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killedWriter+"="+path)
		said, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(said).ReadString('\n'); err != nil {
			t.Error(err)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		f := newFile(path, lineFiles, slog.New(slog.NewTextHandler(out, nil)))
		if err := f.write(t.Context(), []byte(`{"resourceSpans":[]}`+"\n")); err != nil {
			t.Fatal(err)
		}
		f.close()
		spansIn(t, path)
	}
	t.Logf("%d torn lines were cut", out.count("torn line cut"))
}
