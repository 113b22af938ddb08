package deliver

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
)

// A refusal because of age has a reason of its own, whatever its form.
func TestTooOld(t *testing.T) {
	for _, tc := range []struct {
		name string
		v    Verdict
		n    int
		want Reason
	}{
		{"partial success", Verdict{Rejected: 2, Message: "2 spans rejected: Span end time out of range"}, 2, TooOld},
		{"final", Verdict{Outcome: Final, Message: "entry too far behind, oldest acceptable timestamp is: 2026-01-01"}, 5, TooOld},
		{"final, other words", Verdict{Outcome: Final, Message: "Timestamp is too old"}, 5, TooOld},
		{"another partial success", Verdict{Rejected: 2, Message: "attribute missing"}, 2, Rejected},
		{"another final", Verdict{Outcome: Final, Message: "bad request"}, 5, Refused},
		{"too large", Verdict{Outcome: Split, Message: "too old and too large"}, 5, TooLarge},
	} {
		if n, why := tc.v.dropped(5); n != tc.n || why != tc.want {
			t.Errorf("%s: %d dropped as %v, want %d as %v", tc.name, n, why, tc.n, tc.want)
		}
	}
}

func TestJudge(t *testing.T) {
	for _, tc := range []struct {
		name  string
		err   error
		want  Outcome
		delay time.Duration
	}{
		{"cancelled", fail(codes.Canceled, ""), Retry, 0},
		{"deadline", fail(codes.DeadlineExceeded, ""), Retry, 0},
		{"own deadline", context.DeadlineExceeded, Retry, 0},
		{"aborted", fail(codes.Aborted, ""), Retry, 0},
		{"out of range", fail(codes.OutOfRange, ""), Retry, 0},
		{"unavailable", fail(codes.Unavailable, ""), Retry, 0},
		{"unavailable, throttled", fail(codes.Unavailable, "", time.Second), Retry, time.Second},
		{"data loss", fail(codes.DataLoss, ""), Retry, 0},
		{"unauthenticated", fail(codes.Unauthenticated, ""), RetryUntilFixed, 0},
		{"permission denied", fail(codes.PermissionDenied, ""), RetryUntilFixed, 0},
		{"exhausted", fail(codes.ResourceExhausted, "quota"), Final, 0},
		{"exhausted, throttled", fail(codes.ResourceExhausted, "quota", 3*time.Second), Retry, 3 * time.Second},
		{"too large, Go", fail(codes.ResourceExhausted, "grpc: received message larger than max (5 vs. 4)"), Split, 0},
		{"too large after decompression", fail(codes.ResourceExhausted, "grpc: received message after decompression larger than max 4"), Split, 0},
		{"too large, Java", fail(codes.ResourceExhausted, "gRPC message exceeds maximum size 4: 5"), Split, 0},
		{"too large, proxy", fail(codes.Unknown, "unexpected HTTP status code received from server: 413 (Request Entity Too Large)"), Split, 0},
		{"an answer over our limit", fail(codes.ResourceExhausted, fmt.Sprintf("grpc: received message larger than max (16777216 vs. %d)", maxAnswer)), Delivered, 0},
		{"unknown", fail(codes.Unknown, ""), Final, 0},
		{"invalid", fail(codes.InvalidArgument, ""), Final, 0},
		{"unimplemented", fail(codes.Unimplemented, ""), UnsupportedSignal, 0},
		{"compression", fail(codes.Unimplemented, "grpc: Decompressor is not installed for grpc-encoding \"zstd\""), RetryUntilFixed, 0},
		{"internal", fail(codes.Internal, ""), Final, 0},
		{"stream reset, internal", fail(codes.Internal, "stream terminated by RST_STREAM with error code: INTERNAL_ERROR"), UnclearAnswer, 0},
		{"stream reset, calm", fail(codes.ResourceExhausted, "stream terminated by RST_STREAM with error code: ENHANCE_YOUR_CALM"), UnclearAnswer, 0},
		{"404 of a proxy", fail(codes.Unimplemented, "unexpected HTTP status code received from server: 404 (Not Found)"), UnclearAnswer, 0},
		{"500 of a proxy", fail(codes.Unknown, "unexpected HTTP status code received from server: 500 (Internal Server Error)"), UnclearAnswer, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := judge(nil, tc.err); got.Outcome != tc.want || got.Wait != tc.delay {
				t.Errorf("got %v after %v, want %v after %v", got.Outcome, got.Wait, tc.want, tc.delay)
			}
		})
	}
}
