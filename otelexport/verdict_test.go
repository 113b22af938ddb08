package otelexport

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
)

func TestJudge(t *testing.T) {
	for _, tc := range []struct {
		name  string
		err   error
		want  verdict
		delay time.Duration
	}{
		{"cancelled", fail(codes.Canceled, ""), retry, 0},
		{"deadline", fail(codes.DeadlineExceeded, ""), retry, 0},
		{"own deadline", context.DeadlineExceeded, retry, 0},
		{"aborted", fail(codes.Aborted, ""), retry, 0},
		{"out of range", fail(codes.OutOfRange, ""), retry, 0},
		{"unavailable", fail(codes.Unavailable, ""), retry, 0},
		{"unavailable, throttled", fail(codes.Unavailable, "", time.Second), retry, time.Second},
		{"data loss", fail(codes.DataLoss, ""), retry, 0},
		{"unauthenticated", fail(codes.Unauthenticated, ""), retry, 0},
		{"permission denied", fail(codes.PermissionDenied, ""), retry, 0},
		{"exhausted", fail(codes.ResourceExhausted, "quota"), giveUp, 0},
		{"exhausted, throttled", fail(codes.ResourceExhausted, "quota", 3*time.Second), retry, 3 * time.Second},
		{"too large, Go", fail(codes.ResourceExhausted, "grpc: received message larger than max (5 vs. 4)"), split, 0},
		{"too large after decompression", fail(codes.ResourceExhausted, "grpc: received message after decompression larger than max 4"), split, 0},
		{"too large, Java", fail(codes.ResourceExhausted, "gRPC message exceeds maximum size 4: 5"), split, 0},
		{"too large, proxy", fail(codes.Unknown, "unexpected HTTP status code received from server: 413 (Request Entity Too Large)"), split, 0},
		{"unknown", fail(codes.Unknown, ""), giveUp, 0},
		{"invalid", fail(codes.InvalidArgument, ""), giveUp, 0},
		{"unimplemented", fail(codes.Unimplemented, ""), giveUp, 0},
		{"internal", fail(codes.Internal, ""), giveUp, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, delay := judge(tc.err); got != tc.want || delay != tc.delay {
				t.Errorf("got %v after %v, want %v after %v", got, delay, tc.want, tc.delay)
			}
		})
	}
}
