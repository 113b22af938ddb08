package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"
	"unicode"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/procspan/procspan/config"
)

// judge reads the result of a gRPC attempt by the OTLP specification's table of
// retryable codes, with these additions:
//
//   - A message over the server's limit is RESOURCE_EXHAUSTED, too; smaller messages
//     help. One over our own limit is an answer, so the request was accepted.
//   - A refused credential is final by the table, but people renew tokens.
//   - What HTTP/2 or a proxy says in the collector's place may pass.
func judge(partial *partialSuccess, err error) Verdict {
	if err == nil {
		return Verdict{Rejected: int(partial.GetRejectedSpans()), Message: partial.GetErrorMessage()}
	}
	s := status.Convert(err)
	delay, asked := retryDelay(s)
	v := Verdict{Outcome: Final, Code: codeName(s.Code()), Message: s.Message(), Hint: hintFor(err), Wait: delay}
	switch s.Code() {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss:
		v.Outcome = Retry
	case codes.Unauthenticated, codes.PermissionDenied:
		v.Outcome = RetryUntilFixed
	case codes.ResourceExhausted:
		switch {
		case asked:
			v.Outcome = Retry
		case ourLimit(s.Message()):
			v = Verdict{Message: "its answer is too large: " + v.Message}
		case overLimit(s.Message()):
			v.Outcome = Split
		case strings.Contains(s.Message(), resetStream):
			v.Outcome = UnclearAnswer // ENHANCE_YOUR_CALM
		}
	case codes.Internal:
		if strings.Contains(s.Message(), resetStream) {
			v.Outcome = UnclearAnswer
		}
	case codes.Unknown, codes.Unimplemented:
		switch {
		case strings.Contains(s.Message(), httpStatus+"413"):
			v.Outcome = Split
		case strings.Contains(s.Message(), httpStatus):
			v.Outcome = UnclearAnswer
		case strings.Contains(s.Message(), "grpc-encoding"): // of grpc-go and others
			v.Outcome, v.Hint = RetryUntilFixed, compressionHint
		case s.Code() == codes.Unimplemented:
			v.Outcome = UnsupportedSignal
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		v.Outcome = Retry
	}
	if v.Outcome == UnclearAnswer {
		v.Hint = reasonTable[Unclear].hint
	}
	return v
}

// Texts of grpc-go for what is not the server's status.
const (
	httpStatus  = "HTTP status code received from server: "
	resetStream = "stream terminated by RST_STREAM"
)

// overLimit recognizes the texts of gRPC servers for a message that is too large,
// which has no code of its own. In order: grpc-go and C++, Java, others.
func overLimit(msg string) bool {
	msg = strings.ToLower(msg)
	for _, text := range []string{"larger than max", "exceeds maximum size", "too large"} {
		if strings.Contains(msg, text) {
			return true
		}
	}
	return false
}

// tooOld recognizes the words of back ends for items that ended too long ago. There is
// no code for it, and no two say the same.
func tooOld(msg string) bool {
	msg = strings.ToLower(msg)
	for _, text := range []string{"too old", "too_old", "too far in the past", "too far behind", "time out of range", "timestamp out of range",
		"out of bounds", "outside of the ingestion window", "outside the accepted time"} {
		if strings.Contains(msg, text) {
			return true
		}
	}
	return false
}

// ourLimit reports whether it was an answer that was too large.
func ourLimit(msg string) bool {
	return overLimit(msg) && strings.Contains(msg, fmt.Sprint(maxAnswer))
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

// codeName returns the protocol's spelling: DEADLINE_EXCEEDED of DeadlineExceeded.
func codeName(c codes.Code) string {
	switch c {
	case codes.OK:
		return "OK"
	case codes.Canceled:
		return "CANCELLED"
	}
	var name strings.Builder
	for i, r := range c.String() {
		if i > 0 && unicode.IsUpper(r) {
			name.WriteByte('_')
		}
		name.WriteRune(unicode.ToUpper(r))
	}
	return name.String()
}

const compressionHint = "the collector does not support this compression: set the exporter's compression to gzip or none"

const closedHint = "check that the endpoint is an OTLP/gRPC port, https:// if it expects TLS, and " +
	"tls.cert_file and tls.key_file if it expects a client certificate"

// hintFor says what to do about a failed attempt.
func hintFor(err error) string {
	s := status.Convert(err)
	switch s.Code() {
	case codes.Unauthenticated, codes.PermissionDenied:
		return "check the exporter's headers: the collector does not accept their credentials"
	case codes.DeadlineExceeded:
		return "check that an OTLP/gRPC collector answers at the endpoint, or raise the exporter's timeout"
	case codes.Unimplemented:
		return reasonTable[Unsupported].hint
	case codes.ResourceExhausted:
		return "none needed if it passes: the collector asks to slow down"
	}
	return hintOf(s.Message(), "see the collector's log, and check the exporter's endpoint")
}

// hintOf returns the hint for a text of net, crypto/tls or grpc-go, or otherwise.
func hintOf(message, otherwise string) string {
	const clientCertificate = "set the exporter's tls.cert_file and tls.key_file to a client certificate that the collector accepts"
	for _, known := range [...]struct{ text, hint string }{ // the first match counts
		{"too many open files", "procspan has no file descriptors left: raise LimitNOFILE"},
		{"operation not permitted", "allow the address in the unit (IPAddressAllow=) or the firewall"},
		{"connection refused", "start the collector there, or correct the exporter's endpoint"},
		{"no such host", "correct the host name in the exporter's endpoint"},
		{"server misbehaving", "correct the host name in the exporter's endpoint, or check the name server"},
		{"unknown authority", "set the exporter's tls.ca_file to the authority that signed the collector's certificate"},
		{"certificate is valid for", "use a name from the collector's certificate in the exporter's endpoint"},
		{"certificate has expired", "renew the collector's certificate, or check this machine's clock"},
		{"certificate required", clientCertificate},
		{"tls: bad certificate", clientCertificate},
		{"tls: unknown certificate authority", clientCertificate},
		{"does not look like a TLS handshake", "the collector speaks plain text there: use http:// in the exporter's endpoint"},
		// A server's reason for closing a connection is often lost on the way.
		{"error reading server preface", closedHint},
		{"broken pipe", closedHint},
		{"connection reset", closedHint},
	} {
		if strings.Contains(message, known.text) {
			return known.hint
		}
	}
	return otherwise
}

// Failure words the error of an OTLP client, with a hint and without the values of
// headers.
func Failure(what string, o config.Exporter, err error) error {
	if o.OTLPHTTP != nil {
		return failure(what, o, judgeConnection(err))
	}
	if o.OTLPGRPC == nil {
		if posted := (*url.Error)(nil); errors.As(err, &posted) {
			err = posted.Err // MetricsClient posts to no real URL: it is left out
		}
		return failure(what, o, judgeWrite(err))
	}
	s := status.Convert(err)
	if inner := (interface{ GRPCStatus() *status.Status })(nil); errors.As(err, &inner) {
		s = inner.GRPCStatus() // without what is wrapped around it
	}
	return failure(what, o, Verdict{Code: codeName(s.Code()), Message: s.Message(), Hint: hintFor(err)})
}

func failure(what string, o config.Exporter, v Verdict) error {
	return fmt.Errorf("send %s to %s: %s: %s; %s", what, o.Target(), v.Code, newScrubber(o.Common().Headers).clean(v.Message), v.Hint)
}

// Probe sends a request without items once, until ctx ends. It returns an error
// unless the endpoint accepts it.
func Probe(ctx context.Context, s Signal, to *Destination, version string) error {
	t, err := connect(s, to, &Options{Version: version, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer t.Close()
	if v := t.Upload(ctx, nil); v.Outcome != Delivered {
		return failure(string(s), to.Exporter, v)
	}
	return nil
}
