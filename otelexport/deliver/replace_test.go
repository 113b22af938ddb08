package deliver

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/procspan/procspan/config"
)

// Exporters that change while items come lose none: an endpoint that moves takes what
// waits along, one that is removed and added again has what it stored.
func TestReplace(t *testing.T) {
	for _, stored := range []bool{false, true} {
		t.Run(fmt.Sprintf("stored=%t", stored), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, _ := testOptions(t)
				if stored {
					o.Store = config.Delivery{Directory: t.TempDir(), MaxSize: 1 << 30, MaxAge: time.Hour}
				}
				stays, moved := reachable(), reachable()
				o.Traces = []*Destination{to(o, "stays:1", stays), to(o, "old:1", unreachable())}
				b := mustOpen(t, o)
				replace := func(all ...*Destination) {
					t.Helper()
					o.Traces = all
					if err := b.Replace(o); err != nil {
						t.Fatal(err)
					}
				}
				export(b, 150)
				time.Sleep(time.Minute)
				export(b, 50) // the last batch is open
				replace(to(o, "new:1", moved), to(o, "stays:1", stays))
				time.Sleep(time.Second)
				wantStatsOf(t, b, map[string]Stats{"stays:1": {Accepted: 200, Delivered: 200}, "new:1": {Accepted: 200, Delivered: 200}})

				away := to(o, "away:1", unreachable())
				replace(to(o, "stays:1", stays), to(o, "new:1", moved), away)
				export(b, 100)
				time.Sleep(time.Minute)
				replace(to(o, "stays:1", stays), to(o, "new:1", moved)) // without away
				export(b, 100)
				time.Sleep(time.Minute)
				gone := Stats{Accepted: 100, Dropped: Drops{Shutdown: 100}}
				if stored {
					gone = Stats{Accepted: 100, Stored: 100}
				}
				wantStatsOf(t, b, map[string]Stats{"stays:1": {Accepted: 400, Delivered: 400}, "new:1": {Accepted: 400, Delivered: 400}, "away:1": gone})
				for _, s := range b.States() {
					if away := s.Exporter.Target() == "away:1"; s.Removed != away || away && s.Missed != 300 {
						t.Errorf("got %+v", s)
					}
				}

				replace(to(o, "away:1", reachable()), to(o, "stays:1", stays))
				export(b, 100)
				b.Shutdown(t.Context())
				back := Stats{Accepted: 200, Delivered: 100, Dropped: Drops{Shutdown: 100}}
				if stored {
					back = Stats{Accepted: 200, Delivered: 200}
				}
				wantStatsOf(t, b, map[string]Stats{"stays:1": {Accepted: 500, Delivered: 500}, "new:1": {Accepted: 400, Delivered: 400}, "away:1": back})
			})
		})
	}
}

// Exporters that come together get lanes of their own.
func TestReplaceByTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := testOptions(t)
		o.Store = config.Delivery{Directory: t.TempDir(), MaxSize: 1 << 30, MaxAge: time.Hour}
		b := mustOpen(t, o)
		next := o
		next.Traces = []*Destination{to(o, "127.0.0.1:4317", reachable()), to(o, "b:1", unreachable()), to(o, "c:1", unreachable())}
		if err := b.Replace(next); err != nil {
			t.Fatal(err)
		}
		export(b, 10)
		time.Sleep(time.Minute)
		next.Traces = []*Destination{to(o, "127.0.0.1:4317", reachable()), to(o, "c:1", unreachable())}
		if err := b.Replace(next); err != nil {
			t.Fatal(err)
		}
		export(b, 5)
		b.Shutdown(t.Context())
		c, bAgain := reachable(), reachable()
		o.Traces = []*Destination{to(o, "c:1", c), to(o, "b:1", bAgain)}
		b = mustOpen(t, o)
		time.Sleep(time.Minute)
		b.Shutdown(t.Context())
		wantStatsOf(t, b, map[string]Stats{"c:1": {Restored: 15, Delivered: 15}, "b:1": {Restored: 10, Delivered: 10}})
	})
}

// An error leaves everything as it is.
func TestReplaceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := testOptions(t)
		there := reachable()
		o.Traces = []*Destination{to(o, "a:1", there)}
		b := mustOpen(t, o)
		bad := to(o, "", nil)
		next := o
		next.Traces = []*Destination{to(o, "b:1", reachable()), bad}
		if err := b.Replace(next); err == nil || !strings.Contains(err.Error(), "endpoint is empty") {
			t.Errorf("got %v, want an error", err)
		}
		export(b, 10)
		b.Shutdown(t.Context())
		wantStatsOf(t, b, map[string]Stats{"a:1": {Accepted: 10, Delivered: 10}})
	})
}
