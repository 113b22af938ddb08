package otelexport

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// verdict says what is to become of a batch after an attempt that failed.
type verdict int

const (
	giveUp verdict = iota // the answer is final
	retry                 // send the same again later
	split                 // too large: send it in two parts
)

// judge reads the outcome of a failed attempt by the OTLP specification's table
// of retryable codes. The delay is what the server asked for (RetryInfo), or 0.
//
// Two answers go beyond the table. A message over the server's limit is
// RESOURCE_EXHAUSTED too, and cured by smaller messages. And a missing or wrong
// credential (UNAUTHENTICATED, PERMISSION_DENIED) is final for the table, but
// people renew tokens: the batch is kept while there is room.
func judge(err error) (verdict, time.Duration) {
	if errors.Is(err, context.DeadlineExceeded) {
		return retry, 0
	}
	s := status.Convert(err)
	delay, asked := retryDelay(s)
	switch s.Code() {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted,
		codes.OutOfRange, codes.Unavailable, codes.DataLoss,
		codes.Unauthenticated, codes.PermissionDenied:
		return retry, delay
	case codes.ResourceExhausted:
		switch {
		case asked:
			return retry, delay
		case overLimit(s.Message()):
			return split, 0
		}
	case codes.Unknown:
		// A proxy's HTTP answer, as grpc-go words it.
		if strings.Contains(s.Message(), "HTTP status code received from server: 413") {
			return split, 0
		}
	}
	return giveUp, 0
}

// unimplemented reports whether the server says that it does not take the signal.
// A proxy's 404, which grpc-go gives the same code, can pass.
func unimplemented(err error) bool {
	s := status.Convert(err)
	return s.Code() == codes.Unimplemented && !strings.Contains(s.Message(), "HTTP status code received from server")
}

// overLimit recognizes how gRPC servers say that a message is too large; there
// is no code of its own for it. In order: grpc-go and C++, Java, others.
func overLimit(msg string) bool {
	msg = strings.ToLower(msg)
	for _, text := range []string{"larger than max", "exceeds maximum size", "too large"} {
		if strings.Contains(msg, text) {
			return true
		}
	}
	return false
}

// retryDelay returns how long the server asks to wait, and whether it asks.
func retryDelay(s *status.Status) (time.Duration, bool) {
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return max(0, info.GetRetryDelay().AsDuration()), true
		}
	}
	return 0, false
}

const closedCure = "check that the endpoint is an OTLP/gRPC port, https:// if it expects TLS, and " +
	"tls.cert_file and tls.key_file if it expects a client certificate"

// cureFor says what to do about a delivery that keeps failing.
func cureFor(err error) string {
	s := status.Convert(err)
	switch s.Code() {
	case codes.Unauthenticated, codes.PermissionDenied:
		return "check the exporter's headers: the collector does not accept their credentials"
	case codes.DeadlineExceeded:
		return "check that an OTLP/gRPC collector answers at the endpoint, or raise the exporter's timeout"
	case codes.Unimplemented:
		return unsupported.cure()
	case codes.ResourceExhausted:
		return "nothing, if it passes: the collector asks to slow down"
	}
	// Texts of net, crypto/tls and grpc-go; the first that is found counts.
	for _, known := range [...]struct{ text, cure string }{
		{"connection refused", "start the collector there, or correct the exporter's endpoint"},
		{"no such host", "correct the host name in the exporter's endpoint"},
		{"server misbehaving", "correct the host name in the exporter's endpoint, or see to the name server"},
		{"unknown authority", "name the authority that signed the collector's certificate in the exporter's tls.ca_file"},
		{"certificate is valid for", "use a name from the collector's certificate in the exporter's endpoint"},
		{"certificate has expired", "renew the collector's certificate, or check this machine's clock"},
		{"certificate required", "name a client certificate in the exporter's tls.cert_file and tls.key_file"},
		{"tls: bad certificate", "name a client certificate that the collector accepts in the exporter's tls.cert_file and tls.key_file"},
		{"tls: unknown certificate authority", "name a client certificate that the collector accepts in the exporter's tls.cert_file and tls.key_file"},
		{"does not look like a TLS handshake", "the collector speaks plain text there: use http:// in the exporter's endpoint"},
		// What a server says when it closes a connection is often lost on the way.
		{"error reading server preface", closedCure},
		{"broken pipe", closedCure},
		{"connection reset", closedCure},
	} {
		if strings.Contains(s.Message(), known.text) {
			return known.cure
		}
	}
	return "see the collector's log, and check the exporter's endpoint"
}
