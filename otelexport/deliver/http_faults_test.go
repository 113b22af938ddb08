package deliver

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spb "google.golang.org/genproto/googleapis/rpc/status"

	"github.com/procspan/procspan/config"
)

// answerText answers with a status and a body.
func answerText(code int, kind, text string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", kind)
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text)
	}
}

// hijack takes the connection over.
func hijack(then func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		then(conn)
		conn.Close()
	}
}

// httpFault is one way for an OTLP/HTTP server to misbehave, and the result.
type httpFault struct {
	name    string
	steps   []http.HandlerFunc
	limit   int64
	timeout time.Duration
	spans   int // 0 is 10
	dropped Drops
	says    []string
	repeats bool
}

func httpFaults() []httpFault {
	html := "<html><body>nginx</body></html>"
	passes := func(more ...string) []string {
		return append([]string{"export failed, will retry", "export recovered"}, more...)
	}
	refusal := string(mustMarshal(&spb.Status{Code: 3, Message: "I do not like these"}))
	partial := string(mustMarshal(&coltracepb.ExportTraceServiceResponse{PartialSuccess: &partialSuccess{RejectedSpans: 4, ErrorMessage: "four were odd"}}))
	all := []httpFault{
		{name: "429 for a second", steps: []http.HandlerFunc{answerText(429, "text/plain", "slower", "Retry-After", "1")}, says: passes("code=429", "error=slower")},
		{name: "503 until a date", steps: []http.HandlerFunc{answerText(503, "text/plain", "busy", "Retry-After", time.Now().Add(time.Second).UTC().Format(http.TimeFormat))}, says: passes("code=503")},
		{name: "413", limit: 10_000, spans: 100},
		{name: "413 for one item", limit: 100, repeats: true, dropped: Drops{TooLarge: 11}, says: []string{"reason=too_large spans="}},
		{name: "400 with a status", steps: []http.HandlerFunc{answerText(400, contentType, refusal)}, dropped: Drops{Refused: 10}, says: []string{`reason=refused spans=10 error="400: I do not like these"`}},
		{name: "400 in plain text", steps: []http.HandlerFunc{answerText(400, "text/plain; charset=utf-8", "bad\n")}, dropped: Drops{Refused: 10}, says: []string{`error="400: bad"`}},
		{name: "415", steps: []http.HandlerFunc{answerText(415, "text/plain", "")}, says: passes("code=415", "set the exporter's compression")},
		{name: "401", steps: []http.HandlerFunc{answerText(401, "text/plain", "no such token: s3cr3t-token")}, says: passes("code=401", "check the exporter's headers", "<redacted>")},
		{name: "takes a part", steps: []http.HandlerFunc{answerText(200, contentType, partial)}, dropped: Drops{Rejected: 4}, says: []string{`reason=rejected spans=4 error="four were odd"`}},
		{name: "answers at length", steps: []http.HandlerFunc{answerText(200, contentType, strings.Repeat("x", 2*maxAnswer))}, says: []string{"its answer is too large"}},
		{name: "answers in JSON", steps: []http.HandlerFunc{answerText(200, "application/json", "{}")}},
		{name: "redirects", steps: []http.HandlerFunc{answerText(302, "text/html", html, "Location", "http://127.0.0.1:1/login")}, says: passes("code=302", "127.0.0.1:1/login")},
		{name: "a portal's page", steps: []http.HandlerFunc{answerText(200, "text/html", html)}, says: passes("code=200", "check the proxy")},
		{name: "closes", steps: []http.HandlerFunc{hijack(func(net.Conn) {})}, says: passes("code=UNAVAILABLE")},
		{name: "resets", steps: []http.HandlerFunc{hijack(reset)}, says: passes("code=UNAVAILABLE")},
		{name: "speaks garbage", steps: []http.HandlerFunc{hijack(func(c net.Conn) { _, _ = io.WriteString(c, "\xff\x00garbage\r\n\r\n") })}, says: passes("code=UNAVAILABLE")},
		{name: "breaks off", steps: []http.HandlerFunc{hijack(func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
		})}, says: passes("code=UNAVAILABLE")},
		{name: "does not answer", timeout: time.Second, steps: []http.HandlerFunc{func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}}, says: passes("code=DEADLINE_EXCEEDED", "raise the exporter's timeout")},
	}
	for _, code := range []int{502, 503, 504} {
		all = append(all, httpFault{name: fmt.Sprint(code), steps: []http.HandlerFunc{answerText(code, "text/html", html)}, says: passes(fmt.Sprint("code=", code))})
	}
	for _, code := range []int{404, 405, 408, 500, 501, 520} {
		all = append(all, httpFault{name: fmt.Sprint("a proxy's ", code), steps: []http.HandlerFunc{answerText(code, "text/html", html), answerText(code, "text/html", html)},
			says: passes(fmt.Sprint("code=", code))})
	}
	return all
}

// TestHTTPFaults is TestFaults over HTTP.
func TestHTTPFaults(t *testing.T) {
	for _, f := range httpFaults() {
		for _, stored := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/stored=%t", f.name, stored), func(t *testing.T) {
				t.Parallel()
				f.test(t, stored)
			})
		}
	}
}

func (f httpFault) test(t *testing.T, stored bool) {
	face, o, out := serveHTTP(t, slices.Clone(f.steps)...)
	face.limit, o.Logs = f.limit, nil
	if f.timeout > 0 {
		o.Traces[0].Exporter.OTLPHTTP.Timeout = f.timeout
	}
	if stored {
		o.Store = config.Delivery{Directory: t.TempDir(), MaxSize: 1 << 30, MaxAge: time.Hour}
	}
	spans := uint64(max(f.spans, 10))
	o.Traces[0].Batch = oneBatch(int(spans))
	e := open(t, o)
	export(e, int(spans))
	done := func(s Stats) bool { return s.Waiting+s.Stored == 0 }
	waitStats(t, e, done)
	e.export(item(int(spans)+1), nil)
	shutdown(t, e)
	wantStats(t, e, Stats{Accepted: spans + 1, Delivered: spans + 1 - f.dropped.Total(), Dropped: f.dropped})
	for _, text := range f.says {
		if n := out.count(text); n == 0 || n > 1 && !f.repeats {
			t.Errorf("want %q once in the log:\n%s", text, out)
		}
	}
	if len(f.says) == 0 && out.String() != "" {
		t.Errorf("want nothing in the log:\n%s", out)
	}
	if out.count("s3cr3t") > 0 {
		t.Errorf("a secret is in the log:\n%s", out)
	}
}
