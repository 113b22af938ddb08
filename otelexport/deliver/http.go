package deliver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/procspan/procspan/config"
)

// httpTransport sends one signal over OTLP/HTTP, as protobuf over HTTP/1.1.
type httpTransport struct {
	signal   Signal
	client   *http.Client
	url      string
	header   http.Header
	timeout  time.Duration
	scope    []byte
	compress *compressor // nil: none

	body, packed []byte
}

const contentType = "application/x-protobuf"

// newHTTP prepares a transport, which connects when the first batch is sent.
func newHTTP(s Signal, to *Destination, scope []byte, version string) (*httpTransport, error) {
	o := to.Exporter.OTLPHTTP
	compress, err := newCompressor(o.Compression)
	if err != nil {
		return nil, err
	}
	t := &httpTransport{
		signal: s, client: HTTPClient(*o, to.TLS), url: o.URL, timeout: shorter(to.Batch.ExportTimeout, o.Timeout),
		scope: scope, compress: compress,
		header: http.Header{"Content-Type": {contentType}, "User-Agent": {"procspan/" + version}},
	}
	if compress != nil {
		t.header.Set("Content-Encoding", compress.name)
	}
	for _, h := range o.Headers {
		t.header.Set(h.Name, h.Value.Reveal())
	}
	return t, nil
}

// HTTPClient returns a client for an exporter's endpoint. tls nil means the system's
// roots. It follows no redirect: headers are meant for the endpoint alone.
func HTTPClient(o config.OTLPHTTP, tls *tls.Config) *http.Client {
	dialer := net.Dialer{Timeout: connectTimeout}
	dial := dialer.DialContext
	proxy := http.ProxyFromEnvironment
	if o.Socket != "" {
		proxy = nil
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", o.Socket)
		}
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:               proxy,
			DialContext:         dial,
			TLSClientConfig:     tls,
			TLSHandshakeTimeout: connectTimeout,
			MaxIdleConns:        1,
			IdleConnTimeout:     90 * time.Second,
			WriteBufferSize:     writeBuffer,
			DisableCompression:  true, // an answer is short
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Upload implements Transport.
func (t *httpTransport) Upload(ctx context.Context, parts []Part) Verdict {
	if t.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.timeout)
		defer cancel()
	}
	t.body = appendRequest(t.body[:0], t.scope, parts)
	body := t.body
	if t.compress != nil {
		t.packed = t.compress.pack(t.packed[:0], t.body)
		body = t.packed
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return Verdict{Outcome: Final, Code: "INVALID_ARGUMENT", Message: err.Error(), Hint: "correct the exporter's endpoint"}
	}
	r.Header = t.header
	answer, err := t.client.Do(r)
	if err != nil {
		return judgeConnection(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return judgeConnection(err)
	}
	return judgeHTTP(t.signal, answer, text)
}

// Recover implements Transport: a connection is made with the next attempt.
func (t *httpTransport) Recover(ctx context.Context) { <-ctx.Done() }

// Close implements Transport.
func (t *httpTransport) Close() { t.client.CloseIdleConnections() }

// The fields of ExportTraceServiceRequest, ResourceSpans and ScopeSpans in
// opentelemetry/proto; those of logs have the same numbers.
const fieldByResource, fieldByScope = 1, 2

// appendRequest appends a request of encoded parts.
func appendRequest(b, scope []byte, parts []Part) []byte {
	for _, p := range parts {
		items := len(scope) + len(p.Items)
		b = protowire.AppendTag(b, fieldByResource, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(len(p.Resource)+protowire.SizeTag(fieldByScope)+protowire.SizeBytes(items)))
		b = append(b, p.Resource...)
		b = protowire.AppendTag(b, fieldByScope, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(items))
		b = append(append(b, scope...), p.Items...)
	}
	return b
}

// judgeConnection reads an attempt without an answer.
func judgeConnection(err error) Verdict {
	v := Verdict{Outcome: Retry, Code: "UNAVAILABLE", Message: err.Error()}
	v.Hint = hintOf(v.Message, "see the collector's log, and check the exporter's endpoint")
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		v.Code, v.Hint = "DEADLINE_EXCEEDED", "check that an OTLP/HTTP collector answers at the endpoint, or raise the exporter's timeout"
	}
	return v
}

// judgeHTTP reads an answer by the OTLP specification, with these additions:
//
//   - Refused credentials are final by the specification, but people renew tokens.
//   - Any server may answer 404, 500 or a page of HTML in the collector's place, and
//     that may pass.
func judgeHTTP(s Signal, answer *http.Response, text []byte) Verdict {
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	v := Verdict{Outcome: Final, Code: strconv.Itoa(answer.StatusCode), Message: answer.Status}
	if words := statusMessage(kind, text); words != "" {
		v.Message = words
	}
	switch code := answer.StatusCode; {
	case code/100 == 2 && kind == "text/html":
		v.Outcome, v.Message = UnclearAnswer, "the answer is a page of HTML"
	case code/100 == 2:
		return accepted(kind, text)
	case code/100 == 3:
		v.Outcome, v.Message = UnclearAnswer, answer.Status+" to "+answer.Header.Get("Location")
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		v.Outcome, v.Hint = RetryUntilFixed, "check the exporter's headers: the collector does not accept their credentials"
	case code == http.StatusUnsupportedMediaType:
		v.Outcome, v.Hint = RetryUntilFixed, compressionHint
	case code == http.StatusRequestEntityTooLarge:
		v.Outcome = Split
	case code == http.StatusTooManyRequests, code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		v.Outcome, v.Wait, v.Hint = Retry, retryAfter(answer.Header.Get("Retry-After")), "none needed if it passes: the collector is overloaded or restarts"
	case code == http.StatusNotFound, code == http.StatusMethodNotAllowed, code == http.StatusNotImplemented:
		v.Outcome, v.Hint = UnsupportedSignal, "check the path of the exporter's endpoint: OTLP/HTTP uses /v1/traces and /v1/logs"
		if s == Spans { // a collector takes them, so it may be a proxy
			v.Outcome = UnclearAnswer
		}
	case code == http.StatusRequestTimeout, code/100 == 5:
		v.Outcome = UnclearAnswer
	}
	if v.Outcome == UnclearAnswer && v.Hint == "" {
		v.Hint = reasonTable[Unclear].hint
	}
	return v
}

// accepted reads the answer to a request that was accepted.
func accepted(kind string, text []byte) Verdict {
	if len(text) > maxAnswer {
		return Verdict{Message: "its answer is too large"}
	}
	var answer coltracepb.ExportTraceServiceResponse // as that of logs: see partialSuccess
	if kind != contentType || proto.Unmarshal(text, &answer) != nil {
		return Verdict{}
	}
	partial := answer.GetPartialSuccess()
	return Verdict{Rejected: int(partial.GetRejectedSpans()), Message: partial.GetErrorMessage()}
}

// statusMessage returns the collector's words about an error, or "".
func statusMessage(kind string, text []byte) string {
	var status spb.Status
	switch {
	case kind == contentType && proto.Unmarshal(text, &status) == nil:
		return status.GetMessage()
	case kind == "text/plain" || kind == "application/json":
		return string(bytes.TrimSpace(text))
	}
	return ""
}

// retryAfter reads a number of seconds or a date.
func retryAfter(value string) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(max(0, min(seconds, int(maxThrottle/time.Second)))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
