package deliver

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/procspan/procspan/config"
)

// httpFace is the collector's OTLP/HTTP side. It answers the first requests as
// steps do.
type httpFace struct {
	*collector
	mu      sync.Mutex
	steps   []http.HandlerFunc
	limit   int64 // of a request's body, in bytes; 0 is none
	headers []http.Header
}

func (f *httpFace) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.headers = append(f.headers, r.Header)
	var step http.HandlerFunc
	if len(f.steps) > 0 {
		step, f.steps = f.steps[0], f.steps[1:]
	}
	f.mu.Unlock()
	if step != nil {
		step(w, r)
		return
	}
	body, err := decompressed(r)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	case f.limit > 0 && int64(len(body)) > f.limit:
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	var answer proto.Message
	switch r.URL.Path {
	case "/v1/traces":
		var request coltracepb.ExportTraceServiceRequest
		if err = proto.Unmarshal(body, &request); err == nil {
			answer, err = f.Export(r.Context(), &request)
		}
	case "/v1/logs":
		var request collogspb.ExportLogsServiceRequest
		if err = proto.Unmarshal(body, &request); err == nil {
			answer, err = logService{c: f.collector}.Export(r.Context(), &request)
		}
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(mustMarshal(answer))
}

func decompressed(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var from io.Reader = bytes.NewReader(body)
	switch r.Header.Get("Content-Encoding") {
	case "gzip":
		if from, err = gzip.NewReader(from); err != nil {
			return nil, err
		}
	case "zstd":
		d, err := zstd.NewReader(from)
		if err != nil {
			return nil, err
		}
		defer d.Close()
		from = d
	}
	return io.ReadAll(from)
}

// serveHTTP starts an OTLP/HTTP collector, and returns options for both signals.
func serveHTTP(t testing.TB, steps ...http.HandlerFunc) (*httpFace, Options, *logs) {
	t.Helper()
	f := &httpFace{collector: newCollector(), steps: steps}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	o, out := testOptions(t)
	overHTTP(&o, server.URL)
	return f, o, out
}

// overHTTP sends both signals to a server over HTTP.
func overHTTP(o *Options, url string) {
	h := config.OTLPHTTP{URL: url + "/v1/traces", OTLP: config.OTLP{Timeout: 10 * time.Second, Headers: o.Traces[0].Exporter.OTLPGRPC.Headers}}
	l := h
	l.URL = url + "/v1/logs"
	traces, records := *o.Traces[0], *o.Traces[0]
	traces.Exporter, records.Exporter = config.Exporter{OTLPHTTP: &h}, config.Exporter{OTLPHTTP: &l}
	o.Traces, o.Logs = []*Destination{&traces}, []*Destination{&records}
}

func open(t testing.TB, o Options) *Outbox {
	t.Helper()
	b, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, b) })
	return b
}

// Both signals arrive, in whatever way they are compressed and sent: unchanged, and
// each with its resource.
func TestHTTPAndCompression(t *testing.T) {
	want := map[string]string{}
	for i := range 250 {
		want[hex.EncodeToString(item(i+1).id())] = fmt.Sprint("c", i%7)
	}
	for _, protocol := range []string{"http", "grpc"} {
		for _, compression := range []string{"none", "gzip", "zstd"} {
			t.Run(protocol+" "+compression, func(t *testing.T) {
				f, o, out := serveHTTP(t)
				if protocol == "grpc" {
					o, out = bothOptions(t, f.listen(t, "").addr)
					o.Traces[0].Exporter.OTLPGRPC.Compression, o.Logs[0].Exporter.OTLPGRPC.Compression = compression, compression
				} else {
					o.Traces[0].Exporter.OTLPHTTP.Compression, o.Logs[0].Exporter.OTLPHTTP.Compression = compression, compression
				}
				e := open(t, o)
				var containers [][]byte
				for i := range 7 {
					containers = append(containers, resourceOf(fmt.Sprint("c", i)))
				}
				for i := range 250 {
					e.export(item(i+1), containers[i%7])
				}
				spans, records := f.wait(t, 250), f.waitRecords(t, 250)
				shutdown(t, e)
				wantStats(t, e, Stats{Accepted: 250, Delivered: 250})
				wantLogStats(t, e, Stats{Accepted: 250, Delivered: 250})
				for _, s := range spans {
					if id := hex.EncodeToString(s.SpanId); f.resources[string(s.SpanId)] != want[id] || len(s.Attributes) != 1 {
						t.Fatalf("span %s: got container %q, want %q", id, f.resources[string(s.SpanId)], want[id])
					}
				}
				for _, r := range records {
					if id := hex.EncodeToString(r.SpanId); r.container != want[id] {
						t.Fatalf("record %s: got container %q, want %q", id, r.container, want[id])
					}
				}
				scope := f.request.ResourceSpans[0].ScopeSpans[0]
				if scope.Scope.GetName() != "scope" || scope.SchemaUrl != "schema" || len(f.request.ProtoReflect().GetUnknown()) > 0 {
					t.Errorf("got scope %v, schema %q", scope.Scope, scope.SchemaUrl)
				}
				if out.String() != "" {
					t.Errorf("want nothing in the log:\n%s", out)
				}
				for _, h := range f.headers {
					if h.Get("Authorization") != "Bearer s3cr3t-token" || h.Get("User-Agent") != "procspan/0.0.0-test" || h.Get("Content-Type") != contentType {
						t.Fatalf("got headers %v", h)
					}
				}
			})
		}
	}
}

// A collector without a logs pipeline answers 404: the records are turned away.
func TestHTTPLogsNotTaken(t *testing.T) {
	_, o, out := serveHTTP(t)
	o.Logs[0].Exporter.OTLPHTTP.URL += "/none"
	o.Traces = nil
	e := open(t, o)
	export(e, 10)
	waitLog(t, out, "endpoint does not accept log records")
	export(e, 10)
	shutdown(t, e)
	wantLogStats(t, e, Stats{Accepted: 20, Dropped: Drops{Unsupported: 20}})
	if out.count("check the path") != 1 {
		t.Errorf("want the hint:\n%s", out)
	}
}

// Unix sockets, as BuildKit's, take both protocols.
func TestUnixSockets(t *testing.T) {
	f := &httpFace{collector: newCollector()}
	path := filepath.Join(t.TempDir(), "http.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	defer func() {
		server.Close()
		<-done
	}()
	o, _ := testOptions(t)
	overHTTP(&o, "http://localhost")
	o.Traces[0].Exporter.OTLPHTTP.Socket, o.Logs[0].Exporter.OTLPHTTP.Socket = path, path
	e := open(t, o)
	export(e, 10)
	f.wait(t, 10)
	f.waitRecords(t, 10)
	shutdown(t, e)

	c := newCollector().listenUnix(t, filepath.Join(t.TempDir(), "grpc.sock"))
	o, _ = bothOptions(t, "unix:"+c.addr)
	e = open(t, o)
	export(e, 10)
	c.wait(t, 10)
	c.waitRecords(t, 10)
}

// TLS, mutual TLS and their hints are those of gRPC.
func TestHTTPS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	soon := time.Now().Add(time.Hour)
	good := ca.issue(t, "127.0.0.1", soon)
	mutual := &tls.Config{Certificates: []tls.Certificate{good}, ClientCAs: ca.pool, ClientAuth: tls.RequireAndVerifyClientCert}
	for _, tc := range []struct {
		name           string
		server, client *tls.Config
		hint           string // "" when spans arrive
	}{
		{"TLS", &tls.Config{Certificates: []tls.Certificate{good}}, &tls.Config{RootCAs: ca.pool}, ""},
		{"mTLS", mutual, &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{good}}, ""},
		{"no client certificate", mutual, &tls.Config{RootCAs: ca.pool}, "tls.cert_file and tls.key_file"},
		{"unknown authority", &tls.Config{Certificates: []tls.Certificate{good}}, &tls.Config{RootCAs: other.pool}, "tls.ca_file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := &httpFace{collector: newCollector()}
			server := httptest.NewUnstartedServer(f)
			server.TLS, server.Config.ErrorLog = tc.server, log.New(io.Discard, "", 0)
			server.StartTLS()
			defer server.Close()
			o, out := testOptions(t)
			overHTTP(&o, server.URL)
			o.Traces[0].TLS, o.Logs = tc.client, nil
			e, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Shutdown(canceled(t))
			export(e, 10)
			if tc.hint == "" {
				f.wait(t, 10)
				return
			}
			waitLog(t, out, "export failed, will retry")
			if out.count(tc.hint) != 1 {
				t.Errorf("want the hint %q:\n%s", tc.hint, out)
			}
		})
	}
}

func TestHTTPProbe(t *testing.T) {
	_, o, _ := serveHTTP(t)
	if err := Probe(t.Context(), Spans, o.Traces[0], "1"); err != nil {
		t.Errorf("traces: %v", err)
	}
	o.Logs[0].Exporter.OTLPHTTP.URL += "/none"
	if err := Probe(context.Background(), LogRecords, o.Logs[0], "1"); err == nil || !strings.Contains(err.Error(), "check the path") {
		t.Errorf("logs: got %v, want an error with its hint", err)
	}
}
