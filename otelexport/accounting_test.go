package otelexport

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/grpc/codes"
)

// Whatever the servers answer, every span and record is accounted for, once.
func TestNothingIsLostSilently(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			o, out := testOptions(t)
			random := rand.New(rand.NewPCG(seed, 0)) // what comes in
			traces := startPipeline(signalSpans, o.Traces, moody(seed, 1), o.Log)
			e := assemble(o, traces, startPipeline(signalLogRecords, o.Traces, moody(seed, 2), o.Log))
			handles := []*Resource{nil}
			for i := range 10 {
				handles = append(handles, e.Resource([]attribute.KeyValue{attribute.Int("n", i)}, ""))
			}
			n := uint64(0)
			for range 20 {
				for range random.IntN(300) {
					n++
					e.Export(lifetime(int(n)), handles[random.IntN(len(handles))])
				}
				time.Sleep(time.Second)
				wantAll(t, e, seed, n)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			e.Shutdown(ctx)
			wantAll(t, e, seed, n)
			if spans, records := e.Stats(); spans.Waiting+records.Waiting != 0 {
				t.Fatalf("seed %d: after the shutdown: %+v, %+v\n%s", seed, spans, records, out)
			}
		})
	}
}

// moody is a server that takes its time and answers anything.
func moody(seed, stream uint64) *fakeLink {
	random := rand.New(rand.NewPCG(seed, stream))
	return &fakeLink{begin: time.Now(), answer: func(context.Context, int, int) (*partialSuccess, error) {
		time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
		switch random.IntN(30) {
		case 0, 1, 2, 3, 4:
			return nil, fail(codes.Unavailable, "away")
		case 5, 6, 7, 8, 9:
			return nil, fail(codes.ResourceExhausted, "larger than max")
		case 10, 11, 12, 13, 14:
			return nil, fail(codes.InvalidArgument, "no")
		case 15, 16, 17, 18, 19:
			return &partialSuccess{RejectedSpans: random.Int64N(200) - 50, ErrorMessage: "some"}, nil
		case 20:
			return nil, fail(codes.Unimplemented, "unknown service")
		}
		return nil, nil
	}}
}

// wantAll holds that n spans and n records came in and are accounted for.
func wantAll(t *testing.T, e *Exporter, seed, n uint64) {
	t.Helper()
	spans, records := e.Stats()
	for _, s := range []Stats{spans, records} {
		if sum := s.Delivered + s.Waiting + s.Dropped.Total(); s.Accepted != n || sum != n {
			t.Fatalf("seed %d: %d came in, stats %+v", seed, n, s)
		}
	}
}
