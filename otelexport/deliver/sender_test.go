package deliver

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The pauses grow to 5 s and no further; the log says it once.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, out := testOptions(t)
		link := &fakeTransport{begin: time.Now(), answer: func(_ context.Context, n, _ int) (*partialSuccess, error) {
			if n <= 10 {
				return nil, fail(codes.Unavailable, "connection refused")
			}
			return nil, nil
		}}
		e := start(t, o, link)
		export(e, 3)
		time.Sleep(time.Minute)
		e.Shutdown(t.Context())
		wantStats(t, e, Stats{Accepted: 3, Delivered: 3})
		longest := firstPause
		for i := 1; i < len(link.times); i++ {
			pause := link.times[i] - link.times[i-1]
			if pause < longest/2 || pause > longest {
				t.Errorf("pause %d: got %v, want %v to %v", i, pause, longest/2, longest)
			}
			longest = min(2*longest, maxPause)
		}
		if out.count("level=WARN") != 1 || out.count("start the collector there") != 1 || out.count("export recovered") != 1 || out.count("spans_waited=3") != 1 {
			t.Errorf("want one warning with its hint, and one record that it works again:\n%s", out)
		}
	})
}

// When a connection that was broken works again, nobody waits for the pause.
func TestMendedConnectionIsUsedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := testOptions(t)
		link := &fakeTransport{begin: time.Now(), mended: make(chan struct{}), answer: func(_ context.Context, n, _ int) (*partialSuccess, error) {
			if n < 8 { // some 20 s
				return nil, fail(codes.Unavailable, "connection refused")
			}
			return nil, nil
		}}
		close(link.mended)
		e := start(t, o, link)
		export(e, 1)
		time.Sleep(8 * firstPause / 2)
		wantStats(t, e, Stats{Accepted: 1, Delivered: 1})
		for i := 1; i < len(link.times); i++ {
			if pause := link.times[i] - link.times[i-1]; pause < firstPause/2 {
				t.Errorf("pause %d: got %v, want at least %v: a flapping server must not be hammered", i, pause, firstPause/2)
			}
		}
		e.Shutdown(t.Context())
	})
}

func TestThrottling(t *testing.T) {
	for _, tc := range []struct{ asked, want time.Duration }{
		{7 * time.Second, 7 * time.Second},
		{time.Hour, maxThrottle},
	} {
		synctest.Test(t, func(t *testing.T) {
			o, _ := testOptions(t)
			link := &fakeTransport{begin: time.Now(), answer: func(_ context.Context, n, _ int) (*partialSuccess, error) {
				if n == 1 {
					return nil, fail(codes.ResourceExhausted, "slow down", tc.asked)
				}
				return nil, nil
			}}
			e := start(t, o, link)
			export(e, 1)
			time.Sleep(2 * time.Minute)
			e.Shutdown(t.Context())
			if got := link.times[1] - link.times[0]; got != tc.want {
				t.Errorf("asked for %v: got %v, want %v", tc.asked, got, tc.want)
			}
		})
	}
}

// A server with a limit of its own gets smaller batches, and is then left alone.
func TestSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, out := testOptions(t)
		const limit = 20_000
		refusals := 0
		link := &fakeTransport{begin: time.Now(), answer: func(_ context.Context, _, size int) (*partialSuccess, error) {
			if size > limit {
				refusals++
				return nil, fail(codes.ResourceExhausted, "grpc: received message larger than max")
			}
			return nil, nil
		}}
		e := start(t, o, link)
		export(e, 100) // some 55,000 bytes
		e.export(huge(1, 2*limit), nil)
		synctest.Wait()
		time.Sleep(time.Second)
		wantStats(t, e, Stats{Accepted: 101, Delivered: 100, Dropped: Drops{TooLarge: 1}})
		if out.count("reason=too_large spans=1") != 1 {
			t.Errorf("want one record of the span that is too large:\n%s", out)
		}
		refusals = 0
		export(e, 100)
		e.Shutdown(t.Context())
		wantStats(t, e, Stats{Accepted: 201, Delivered: 200, Dropped: Drops{TooLarge: 1}})
		if refusals != 0 {
			t.Errorf("the limit was met %d times more after it was known", refusals)
		}
	})
}

// Kinds of trouble are told apart, and each is said once.
func TestEachTroubleIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, out := testOptions(t)
		link := &fakeTransport{begin: time.Now(), answer: func(_ context.Context, n, _ int) (*partialSuccess, error) {
			switch {
			case n < 20:
				return nil, fail(codes.Unavailable, "connection refused")
			case n < 40:
				return nil, fail(codes.Unauthenticated, "bad token s3cr3t-token\n\x1b[2J")
			}
			return nil, nil
		}}
		e := start(t, o, link)
		export(e, 1)
		time.Sleep(10 * time.Minute)
		e.Shutdown(t.Context())
		wantStats(t, e, Stats{Accepted: 1, Delivered: 1})
		if out.count("level=WARN") != 2 || out.count("code=UNAUTHENTICATED") != 1 {
			t.Errorf("want two warnings:\n%s", out)
		}
		if out.count("s3cr3t") != 0 || out.count(`<redacted>\\n\\x1b[2J`) != 1 {
			t.Errorf("want the token redacted and control characters escaped:\n%s", out)
		}
	})
}

// A server that fails every other request does not fill the log.
func TestFlappingIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, out := testOptions(t)
		link := &fakeTransport{begin: time.Now(), answer: func(_ context.Context, n, _ int) (*partialSuccess, error) {
			if n%2 == 1 {
				return nil, fail(codes.Unavailable, "overloaded")
			}
			return nil, nil
		}}
		e := start(t, o, link)
		for range 59 {
			export(e, 1)
			time.Sleep(time.Second)
		}
		e.Shutdown(t.Context())
		wantStats(t, e, Stats{Accepted: 59, Delivered: 59})
		if got := out.count("\n"); got != 2 {
			t.Errorf("got %d records in a minute, want 2:\n%s", got, out)
		}
	})
}

// A full queue drops the oldest, counts them, and says so every 10 s.
func TestLossesAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, out := testOptions(t)
		link := &fakeTransport{begin: time.Now(), answer: func(context.Context, int, int) (*partialSuccess, error) {
			return nil, fail(codes.Unavailable, "connection refused")
		}}
		e := start(t, o, link)
		const rounds = 35
		for range rounds {
			export(e, 1000)
			time.Sleep(time.Second)
		}
		if got := out.count("reason=queue_full"); got != 4 {
			t.Errorf("got %d records in %d s, want 4:\n%s", got, rounds, out)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		e.Shutdown(ctx)
		e.Shutdown(ctx) // again does no harm
		if got := time.Since(begin); got != 3*time.Second {
			t.Errorf("shutdown took %v, want 3s", got)
		}
		s, _ := e.Stats()
		wantStats(t, e, Stats{Accepted: rounds * 1000, Dropped: Drops{QueueFull: rounds*1000 - s.Dropped[Shutdown], Shutdown: s.Dropped[Shutdown]}})
		if s.Dropped[Shutdown] < 900 || s.Dropped[Shutdown] > 1000 {
			t.Errorf("dropped at shutdown: got %d, want what the queue holds", s.Dropped[Shutdown])
		}
		if out.count("reason=shutdown") != 1 || out.count(`error="connection refused"`) == 0 {
			t.Errorf("want the loss at shutdown with its cause:\n%s", out)
		}
		e.export(item(1), nil)
		if after, _ := e.Stats(); after.Dropped[Shutdown] != s.Dropped[Shutdown]+1 {
			t.Errorf("export after shutdown: got %d dropped, want %d", after.Dropped[Shutdown], s.Dropped[Shutdown]+1)
		}
	})
}

// Shutdown does not sit out a pause: it begins with an attempt.
func TestShutdownHurries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := testOptions(t)
		var up atomic.Bool
		link := &fakeTransport{begin: time.Now(), answer: func(context.Context, int, int) (*partialSuccess, error) {
			if up.Load() {
				return nil, nil
			}
			return nil, fail(codes.Unavailable, "slow down", 30*time.Second)
		}}
		e := start(t, o, link)
		export(e, 250)
		time.Sleep(time.Second)
		up.Store(true)
		begin := time.Now()
		e.Shutdown(t.Context())
		if got := time.Since(begin); got != 0 {
			t.Errorf("took %v, want no time", got)
		}
		wantStats(t, e, Stats{Accepted: 250, Delivered: 250})
	})
}

// An attempt that hangs is cut off at the end of the shutdown's time.
func TestShutdownCutsAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := testOptions(t)
		link := &fakeTransport{begin: time.Now(), answer: func(ctx context.Context, _, _ int) (*partialSuccess, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		e := start(t, o, link)
		export(e, 250)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		e.Shutdown(ctx)
		wantStats(t, e, Stats{Accepted: 250, Dropped: Drops{Shutdown: 250}})
	})
}

// recoveryBound is within what the first batch is sent after the collector is
// back, in whatever way it was away, unless it asked for more by RetryInfo.
const recoveryBound = 5 * time.Second

// The collector returns at any moment of a long outage in which it could be
// reached but took nothing: the longest pause is the bound.
func TestRecoveryIsQuick(t *testing.T) {
	for after := time.Minute; after < time.Minute+2*maxPause; after += 250 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			o, _ := testOptions(t)
			begin := time.Now()
			link := &fakeTransport{begin: begin, answer: func(context.Context, int, int) (*partialSuccess, error) {
				if time.Since(begin) < after {
					return nil, fail(codes.Unavailable, "not now")
				}
				return nil, nil
			}}
			e := startStored(t, o, t.TempDir(), link)
			export(e, 300)
			time.Sleep(after + recoveryBound)
			synctest.Wait()
			e.Shutdown(canceled(t))
			wantStats(t, e, Stats{Accepted: 300, Delivered: 300})
			if attempts := len(link.times); attempts < int(after/maxPause) || attempts > 3+int((after+recoveryBound)/(maxPause/2))+3 {
				t.Errorf("got %d attempts in %v, want one in %v to %v", attempts, after, maxPause/2, maxPause)
			}
		})
	}
}

// Where there is no connection, the pauses between attempts to connect count, and
// what is kept of a pause when there is one again. A host that does not answer at
// all is tried by TCP at 0, 1 and 3 s of an attempt: it may be back right after
// the last.
func TestReconnectingIsQuick(t *testing.T) {
	const lastSYN, jitter = 3 * time.Second, connectMax / 5
	refused := connectMax + jitter + firstPause/2
	silent := connectTimeout - lastSYN + refused
	if refused > recoveryBound || silent > recoveryBound || maxPause > recoveryBound {
		t.Errorf("worst cases: %v where connections are refused, %v where nothing answers, %v where the server does, want %v",
			refused, silent, maxPause, recoveryBound)
	}
}

// What a proxy or HTTP/2 answers in the collector's place is retried for a while,
// and then dropped with a reason of its own, one batch at a time.
func TestUnclearAnswers(t *testing.T) {
	for _, err := range []error{
		fail(codes.Unimplemented, "unexpected HTTP status code received from server: 404 (Not Found)"),
		fail(codes.Unknown, "unexpected HTTP status code received from server: 500 (Internal Server Error)"),
		fail(codes.Internal, "stream terminated by RST_STREAM with error code: INTERNAL_ERROR"),
		fail(codes.ResourceExhausted, "stream terminated by RST_STREAM with error code: ENHANCE_YOUR_CALM"),
	} {
		for _, tc := range []struct {
			name      string
			last      time.Duration
			unclear   uint64
			delivered uint64
		}{{"passes", patience / 2, 0, 300}, {"lasts", patience + patience/2, 100, 200}} {
			t.Run(codeName(status.Code(err))+" "+tc.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o, out := testOptions(t)
					begin := time.Now()
					e := start(t, o, &fakeTransport{begin: begin, answer: func(context.Context, int, int) (*partialSuccess, error) {
						if time.Since(begin) < tc.last {
							return nil, err
						}
						return nil, nil
					}})
					export(e, 300)
					time.Sleep(3 * patience)
					wantStats(t, e, Stats{Accepted: 300, Delivered: tc.delivered, Dropped: Drops{Unclear: tc.unclear}})
					e.Shutdown(t.Context())
					if got := out.count("reason=unclear spans=100"); got != int(tc.unclear/100) {
						t.Errorf("want the loss with its reason:\n%s", out)
					}
				})
			})
		}
	}
}

// A refused credential is final for a command, which nobody mends while it runs.
func TestDropUnfixed(t *testing.T) {
	for _, code := range []codes.Code{codes.Unauthenticated, codes.PermissionDenied} {
		synctest.Test(t, func(t *testing.T) {
			o, out := testOptions(t)
			o.Traces[0].DropUnfixed = true
			e := start(t, o, &fakeTransport{begin: time.Now(), answer: func(context.Context, int, int) (*partialSuccess, error) {
				return nil, fail(code, "who are you")
			}})
			export(e, 250)
			begin := time.Now()
			e.Shutdown(t.Context())
			if took := time.Since(begin); took != 0 {
				t.Errorf("%v: the shutdown took %v, want no time", code, took)
			}
			wantStats(t, e, Stats{Accepted: 250, Dropped: Drops{Refused: 250}})
			if out.count(codeName(code)+": who are you") == 0 {
				t.Errorf("want the cause:\n%s", out)
			}
		})
	}
}
