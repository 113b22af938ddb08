package deliver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/procspan/procspan/config"
)

// to returns an exporter of spans to an endpoint, on a transport.
func to(o Options, endpoint string, over Transport) *Destination {
	d := *o.Traces[0]
	d.Exporter = config.Exporter{OTLPGRPC: &config.OTLPGRPC{Target: endpoint}}
	d.Transport = over
	return &d
}

func mustOpen(t testing.TB, o Options) *Outbox {
	t.Helper()
	b, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// statsOf returns the books of the spans' exporters, by endpoint.
func statsOf(t testing.TB, b *Outbox) map[string]Stats {
	t.Helper()
	all := map[string]Stats{}
	for _, s := range b.States() {
		wantSum(t, s.Stats)
		all[s.Exporter.Target()] = s.Stats
	}
	return all
}

func wantStatsOf(t testing.TB, b *Outbox, want map[string]Stats) {
	t.Helper()
	got := statsOf(t, b)
	for endpoint, stats := range want {
		if got[endpoint] != stats {
			t.Errorf("%s: got %+v, want %+v", endpoint, got[endpoint], stats)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d exporters, want %d", len(got), len(want))
	}
}

// Each of several exporters gets everything, and has losses of its own: one works, one
// is away, one refuses.
func TestSeveralExporters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, out := testOptions(t)
		works := reachable()
		refuses := &fakeTransport{answer: func(context.Context, int, int) (*partialSuccess, error) {
			return nil, fail(codes.InvalidArgument, "no")
		}}
		o.Traces = []*Destination{to(o, "works:1", works), to(o, "away:1", unreachable()), to(o, "refuses:1", refuses)}
		b := mustOpen(t, o)
		for range 30 {
			export(b, 100)
			time.Sleep(time.Second)
		}
		wantStatsOf(t, b, map[string]Stats{
			"works:1":   {Accepted: 3000, Delivered: 3000},
			"away:1":    {Accepted: 3000, Waiting: 1000, Dropped: Drops{QueueFull: 2000}},
			"refuses:1": {Accepted: 3000, Dropped: Drops{Refused: 3000}},
		})
		b.Shutdown(canceled(t))
		for _, want := range []string{"reason=queue_full spans=1000 endpoint=away:1", "endpoint=refuses:1", "endpoint=away:1 code=UNAVAILABLE"} {
			if out.count(want) == 0 {
				t.Errorf("no %q in the log:\n%s", want, out)
			}
		}
		if out.count("endpoint=works:1") != 0 {
			t.Errorf("the log blames what works:\n%s", out)
		}
	})
}

// However many exporters wait, the items are in memory once.
func TestSeveralExportersShareBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := testOptions(t)
		o.Traces = []*Destination{to(o, "a:1", unreachable()), to(o, "b:1", unreachable()), to(o, "c:1", unreachable()), to(o, "d:1", unreachable())}
		b := mustOpen(t, o)
		defer b.Shutdown(canceled(t))
		export(b, 1000)
		synctest.Wait()
		all, holders := b.Spans.hold()
		defer b.Spans.unhold(all)
		if len(all) != 10 {
			t.Errorf("got %d batches in memory, want 10", len(all))
		}
		for _, batch := range all {
			if holders[batch] != 0b1111 {
				t.Errorf("a batch is held by %b, want all four", holders[batch])
			}
		}
	})
}

// The memory of a batch is used again only when all exporters are done with it.
func TestSharedMemoryIsUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := testOptions(t)
		var fast, slow []string
		o.Traces = []*Destination{
			to(o, "fast:1", recorder{func(p []Part) { fast = append(fast, spanIDs(t, p)...) }}),
			to(o, "slow:1", recorder{func(p []Part) {
				time.Sleep(100 * time.Millisecond)
				slow = append(slow, spanIDs(t, p)...)
			}}),
		}
		b := mustOpen(t, o)
		for n := range 500 {
			b.export(item(n), nil)
			time.Sleep(time.Millisecond)
		}
		b.Shutdown(t.Context())
		if !slices.Equal(fast, slow) || len(fast) != 500 {
			t.Errorf("the slow exporter sent %d spans and the fast one %d, want the same 500", len(slow), len(fast))
		}
	})
}

func TestTooManyExporters(t *testing.T) {
	o, _ := testOptions(t)
	for range MaxExporters {
		o.Traces = append(o.Traces, o.Traces[0])
	}
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "at most 4") {
		t.Errorf("got %v, want an error that names the limit", err)
	}
}

func TestMatch(t *testing.T) {
	for _, tc := range []struct{ name, former, present, want string }{
		{"the same", "a b", "a b", "[0 1]"},
		{"moved", "a b", "b a", "[1 0]"},
		{"added", "a", "b a", "[1]"},
		{"removed", "a b", "b", "[-1 0]"},
		{"another endpoint", "a b", "a c", "[0 1]"},
		{"another endpoint, moved", "a b", "c a", "[1 0]"},
		{"all others", "a b c", "d e", "[0 1 -1]"},
		{"twice", "a a", "a a a", "[0 1]"},
		{"none", "a", "", "[-1]"},
	} {
		if got := fmt.Sprint(match(strings.Fields(tc.former), strings.Fields(tc.present))); got != tc.want {
			t.Errorf("%s: %q to %q: got %s, want %s", tc.name, tc.former, tc.present, got, tc.want)
		}
	}
}

// What one run stored, the next one delivers, whatever exporters it has: each item goes
// where it was meant to, and waits if that is not configured.
func TestStoreFollowsTheExporters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, out := testOptions(t)
		o.Store = config.Delivery{Directory: t.TempDir(), MaxSize: 1 << 30, MaxAge: 24 * time.Hour}
		run := func(n, first int, destinations ...*Destination) *Outbox {
			o.Traces = destinations
			b := mustOpen(t, o)
			for i := range n {
				b.export(item(first+i), nil)
			}
			time.Sleep(time.Second)
			b.Shutdown(t.Context())
			return b
		}
		run(10, 0, to(o, "a:1", unreachable()))
		run(10, 10, to(o, "b:1", unreachable()), to(o, "a:1", unreachable()))
		run(10, 20, to(o, "b:1", unreachable()))
		a, b := reachable(), reachable()
		last := run(0, 0, to(o, "c:1", unreachable()), to(o, "b:1", b), to(o, "a:1", a))
		wantStatsOf(t, last, map[string]Stats{"a:1": {Restored: 20, Delivered: 20}, "b:1": {Restored: 20, Delivered: 20}, "c:1": {}})
		for n := range 30 {
			wantA, wantB := 0, 0
			if n < 20 {
				wantA = 1
			}
			if n >= 10 {
				wantB = 1
			}
			id := string(item(n).id())
			if gotA, gotB := strings.Count(string(a.sent), id), strings.Count(string(b.sent), id); gotA != wantA || gotB != wantB {
				t.Errorf("item %d: sent %d times to a and %d times to b, want %d and %d", n, gotA, gotB, wantA, wantB)
			}
		}
		if out.count("but no exporter for them") != 1 {
			t.Errorf("want it said that a's items wait:\n%s", out)
		}

		// A corrected endpoint gets what waits.
		run(10, 30, to(o, "wrong:1", unreachable()))
		right := reachable()
		last = run(0, 0, to(o, "right:1", right))
		wantStatsOf(t, last, map[string]Stats{"right:1": {Restored: 10, Delivered: 10}})
	})
}

// An agent that takes over gives each exporter what waited for it, once.
func TestPendingFollowsTheExporters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := testOptions(t)
		o.Traces = []*Destination{to(o, "fast:1", reachable()), to(o, "away:1", unreachable()), to(o, "gone:1", unreachable())}
		first := mustOpen(t, o)
		export(first, 250)
		time.Sleep(time.Second)
		pieces, pushed := pendingPieces(first), first.Pushed()
		for n := range 50 {
			first.export(item(1000+n), nil)
		}
		time.Sleep(time.Second)
		settled := first.Settled()
		first.Shutdown(canceled(t)) // as if it were killed

		fast, back := reachable(), reachable()
		o.Traces = []*Destination{to(o, "away:1", back), to(o, "fast:1", fast)}
		second := mustOpen(t, o)
		lost := uint64(0)
		for _, piece := range pieces {
			lost += second.RestorePending(piece, settled)
		}
		second.BeginReplay(pushed, settled)
		for n := range 50 {
			second.export(item(1000+n), nil)
		}
		second.EndReplay()
		second.Shutdown(t.Context())
		wantStatsOf(t, second, map[string]Stats{"fast:1": {}, "away:1": {Restored: 300, Delivered: 300}})
		if lost != 250 || len(fast.sent) != 0 {
			t.Errorf("%d items are lost, want the 250 of the exporter that is gone; fast got %d bytes again", lost, len(fast.sent))
		}
	})
}

// Whatever servers answer, and however the exporters change meanwhile, every span of
// each exporter is accounted for.
func TestSeveralExportersAddUp(t *testing.T) {
	for seed := range uint64(8) {
		synctest.Test(t, func(t *testing.T) {
			o, out := testOptions(t)
			if seed%2 > 0 {
				o.Store = config.Delivery{Directory: t.TempDir(), MaxSize: 500_000, MaxAge: 8 * time.Second}
			}
			random := rand.New(rand.NewPCG(seed, 0))
			some := func() (all []*Destination) {
				for i := range 1 + random.IntN(MaxExporters) {
					all = append(all, to(o, fmt.Sprintf("e%d:1", random.IntN(3)), moody(seed, uint64(i))))
				}
				return all
			}
			o.Traces = some()
			b := mustOpen(t, o)
			n := uint64(0)
			check := func() {
				t.Helper()
				for _, s := range b.States() {
					wantSum(t, s.Stats)
					if s.Stats.Accepted+s.Missed != n || int64(s.Stats.Stored) < 0 || int64(s.Stats.Waiting) < 0 {
						t.Fatalf("seed %d: %d came in: %+v\n%s", seed, n, s, out)
					}
				}
			}
			for range 30 {
				for range random.IntN(300) {
					n++
					b.export(item(int(n)), nil)
				}
				time.Sleep(time.Second)
				check()
				if random.IntN(4) == 0 {
					next := o
					next.Traces = some()
					if err := b.Replace(next); err != nil {
						t.Fatal(err)
					}
					check()
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			b.Shutdown(ctx)
			check()
			for _, s := range b.States() {
				if s.Stats.Waiting != 0 {
					t.Errorf("seed %d: %+v waits after the shutdown", seed, s)
				}
			}
		})
	}
}
