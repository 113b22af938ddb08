package spool

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// model is what a lane should hold, oldest first.
type model struct {
	waiting []string        // the texts of records; each has as many items as bytes
	removed map[string]bool // what was ever removed can come again after a crash
}

// FuzzOperations compares two lanes with a list each, over all that can be done with
// them and over restarts, also without Close.
func FuzzOperations(f *testing.F) {
	for seed := range uint64(25) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 3))
		dir := t.TempDir()
		s := testSpool(t, dir, small)
		models := []*model{{removed: map[string]bool{}}, {removed: map[string]bool{}}}
		n := 0
		fresh := func() string {
			n++
			return fmt.Sprint(n, ":", strings.Repeat("x", random.IntN(800)))
		}
		for range 80 {
			i := random.IntN(2)
			m, l := models[i], []*Lane{s.a, s.b}[i]
			switch random.IntN(8) {
			case 0, 1, 2:
				var texts []string
				for range 1 + random.IntN(3) {
					texts = append(texts, fresh())
				}
				put(t, l, texts...)
				m.waiting = append(m.waiting, texts...)
			case 3, 4:
				key, r, err := l.Take()
				if err != nil || (key == "") != (len(m.waiting) == 0) || key != "" && string(r.Data) != m.waiting[0] {
					t.Fatalf("seed %d: took %.20q (%v) of %v", seed, r.Data, err, heads(m.waiting))
				}
				if key == "" {
					break
				}
				m.end(t, l, key, random, fresh)
			case 5: // a crash while a record is held, in which removals are lost
				if random.IntN(2) == 0 {
					if _, _, err := l.Take(); err != nil {
						t.Fatal(err)
					}
				}
				crash(t, s)
				s = testSpool(t, dir, small)
				s.wantRestored(t, models)
			case 6:
				s.close(t)
				s = testSpool(t, dir, small)
				for i, l := range []*Lane{s.a, s.b} {
					if got := texts(t, l); fmt.Sprint(got) != fmt.Sprint(models[i].waiting) {
						t.Fatalf("seed %d: after a restart: got %v, want %v", seed, heads(got), heads(models[i].waiting))
					}
				}
			case 7:
				s.wantCounts(t, models)
			}
		}
		s.close(t)
	})
}

// end ends the hold of the oldest record in one of three ways.
func (m *model) end(t *testing.T, l *Lane, key string, random *rand.Rand, fresh func() string) {
	t.Helper()
	switch random.IntN(4) {
	case 0:
		if !l.Return(key) {
			t.Fatal("the store does not have what it gave")
		}
	case 1:
		parts := []string{fresh(), fresh()}
		if ok, err := l.Replace(key, recordsOf(parts...)...); !ok || err != nil {
			t.Fatalf("replace: %v, %v", ok, err)
		}
		m.removed[m.waiting[0]] = true
		m.waiting = append(parts, m.waiting[1:]...)
	default:
		if err := l.Remove(key); err != nil {
			t.Fatal(err)
		}
		m.removed[m.waiting[0]] = true
		m.waiting = m.waiting[1:]
	}
}

// crash leaves a store as kill -9 does.
func crash(t *testing.T, s *spool) {
	t.Helper()
	for _, l := range s.lanes {
		if l.log != nil {
			if err := l.log.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.dir.Close(); err != nil {
		t.Fatal(err)
	}
}

// texts returns what waits in a lane.
func texts(t *testing.T, l *Lane) (all []string) {
	t.Helper()
	if err := l.store.load(); err != nil {
		t.Fatal(err)
	}
	for _, e := range l.queue {
		r, err := l.log.Read(e.at)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(r.Body))
	}
	return all
}

// heads are the numbers of texts.
func heads(texts []string) (all []string) {
	for _, text := range texts {
		number, _, _ := strings.Cut(text, ":")
		all = append(all, number)
	}
	return all
}

// wantRestored holds that what waited before a crash waits in its order, and that
// the rest is what was removed shortly before. That becomes part of the models.
func (s *spool) wantRestored(t *testing.T, models []*model) {
	t.Helper()
	for i, l := range []*Lane{s.a, s.b} {
		m, again := models[i], 0
		got := texts(t, l)
		rest := m.waiting
		for _, text := range got {
			switch {
			case len(rest) > 0 && text == rest[0]:
				rest = rest[1:]
			case m.removed[text]:
				again++
			default:
				t.Fatalf("got %.20q, which nobody put", text)
			}
		}
		if len(rest) > 0 || again > maxRemoved {
			t.Fatalf("after a crash: got %v; %d were removed; %v are missing", heads(got), again, heads(rest))
		}
		m.waiting = got
	}
}

// wantCounts holds what the store knows of itself.
func (s *spool) wantCounts(t *testing.T, models []*model) {
	t.Helper()
	items, bytes := 0, int64(0)
	for i, l := range []*Lane{s.a, s.b} {
		for _, e := range l.queue {
			items, bytes = items+e.items, bytes+e.size
		}
		if len(l.queue) != len(models[i].waiting) && l.log != nil {
			t.Fatalf("%d records wait, want %d", len(l.queue), len(models[i].waiting))
		}
	}
	if bytes != s.bytes {
		t.Fatalf("the store counts %d bytes, its records have %d", s.bytes, bytes)
	}
	if files, size := segments(t, s.o.Directory); size > 2*s.bytes+2*s.o.MaxSize/16+10_000 {
		t.Fatalf("%d bytes wait in %v with %d", s.bytes, files, size)
	}
}

// Killed at any moment of Replace, a store has the record or all that replaced it,
// and each of them once unless both were written in part.
func TestKilledWhileReplacing(t *testing.T) {
	dir := t.TempDir()
	wantTexts := func(s *spool, want ...string) {
		t.Helper()
		if got := texts(t, s.a); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	s := testSpool(t, dir)
	put(t, s.a, "abcd", "e")
	var again []string // parts that a torn Replace left
	for range 2 {
		key, r, _ := s.a.Take()
		if ok, err := s.a.Replace(key, recordsOf("ab", "cd")...); string(r.Data) != "abcd" || !ok || err != nil {
			t.Fatalf("replace %q: %v, %v", r.Data, ok, err)
		}
		crash(t, s)
		s = testSpool(t, dir)
		wantTexts(s, append(again, "ab", "cd", "e")...)
		crash(t, s)
		files, size := segments(t, dir)
		if err := os.Truncate(files[0], size-1); err != nil { // within the second part
			t.Fatal(err)
		}
		again = append(again, "ab")
		s = testSpool(t, dir)
		wantTexts(s, append(append([]string{"abcd"}, again...), "e")...)
	}
	s.close(t)
}

// What is stored of one signal stays while another passes through, and the files
// stay small.
func TestLanesDoNotHoldEachOther(t *testing.T) {
	dir := t.TempDir()
	s := testSpool(t, dir, small)
	put(t, s.b, "stays")
	for i := range 300 {
		put(t, s.a, text(i))
		if i >= 10 {
			wantNext(t, s.a, text(i-10))
		}
	}
	if files, size := segments(t, dir); size > 20_000 {
		t.Errorf("%v have %d bytes", files, size)
	}
	s.close(t)
	s = testSpool(t, dir, small)
	wantNext(t, s.b, "stays")
	wantNext(t, s.a, text(290), text(291))
	s.close(t)
}
