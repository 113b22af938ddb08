package main

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	collectormetricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// sink is a collector that keeps what it gets.
type sink struct {
	collectorpb.UnimplementedTraceServiceServer
	server *grpc.Server
	socket int // bound, and not yet listening; or -1

	metrics metricsSink

	mu    sync.Mutex
	spans []*tracepb.Span
}

// Export is what the exporter calls.
func (s *sink) Export(_ context.Context, request *collectorpb.ExportTraceServiceRequest) (*collectorpb.ExportTraceServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range request.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			s.spans = append(s.spans, scope.Spans...)
		}
	}
	return &collectorpb.ExportTraceServiceResponse{}, nil
}

// startSink starts a collector. One that is to answer later has its port
// already: nobody else can get it, and who calls it is refused.
func startSink(ts *testscript.TestScript, neg bool, args []string) {
	how := strings.Join(args, " ")
	st := storyOf(ts)
	if how == "-now" && st.sink != nil && st.sink.socket >= 0 {
		st.sink.serve(ts)
		return
	}
	if neg || st.sink != nil || how != "" && how != "-later" && how != "-tls" {
		ts.Fatalf("usage: sink [-later|-tls|-now]")
	}
	var options []grpc.ServerOption
	scheme := "http://"
	if how == "-tls" {
		scheme = "https://"
		options = append(options, grpc.Creds(credentials.NewServerTLSFromCert(selfSigned(ts))))
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	ts.Check(err)
	ts.Check(unix.Bind(socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	address, err := unix.Getsockname(socket)
	ts.Check(err)
	ts.Setenv("SINK", fmt.Sprintf("%s127.0.0.1:%d", scheme, address.(*unix.SockaddrInet4).Port))
	s := &sink{server: grpc.NewServer(options...), socket: socket}
	collectorpb.RegisterTraceServiceServer(s.server, s)
	collectormetricspb.RegisterMetricsServiceServer(s.server, &s.metrics)
	st.sink = s
	ts.Defer(func() {
		s.server.Stop()
		if s.socket >= 0 {
			_ = unix.Close(s.socket)
		}
	})
	if how != "-later" {
		s.serve(ts)
	}
}

func (s *sink) serve(ts *testscript.TestScript) {
	ts.Check(unix.Listen(s.socket, 16))
	file := os.NewFile(uintptr(s.socket), "sink")
	s.socket = -1
	listener, err := net.FileListener(file)
	ts.Check(err)
	ts.Check(file.Close())
	go func() { _ = s.server.Serve(listener) }() // until Stop
}

// selfSigned returns a certificate that nobody trusts.
func selfSigned(ts *testscript.TestScript) *tls.Certificate {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	ts.Check(err)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
}

// received writes the spans to a file, a line each: name and status, indented
// under the parent's, siblings in the order of their start. $TRACE_ID is the id
// of the trace where there is one only. A parent that did not come is named.
func received(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts).sink
	if neg || len(args) != 1 || s == nil {
		ts.Fatalf("usage: received FILE, after sink")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortFunc(s.spans, func(a, b *tracepb.Span) int {
		return cmp.Compare(a.StartTimeUnixNano, b.StartTimeUnixNano)
	})
	traces, known := make(map[string]bool), make(map[string]bool)
	for _, span := range s.spans {
		traces[string(span.TraceId)] = true
		known[string(span.SpanId)] = true
	}
	ts.Setenv("TRACE_ID", "")
	if len(traces) == 1 {
		ts.Setenv("TRACE_ID", hex.EncodeToString(s.spans[0].TraceId))
	}
	var text strings.Builder
	fmt.Fprintf(&text, "spans: %d, traces: %d\n", len(s.spans), len(traces))
	var tree func(parent, indent string)
	tree = func(parent, indent string) {
		for _, span := range s.spans {
			if string(span.ParentSpanId) == parent {
				fmt.Fprintf(&text, "%s%s%s\n", indent, span.Name, ending(span))
				tree(string(span.SpanId), indent+"  ")
			}
		}
	}
	tree("", "")
	for _, span := range s.spans {
		if parent := string(span.ParentSpanId); parent != "" && !known[parent] {
			fmt.Fprintf(&text, "orphan: %s\n", span.Name)
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text.String()), 0o666))
}

// ending says how a span's process ended, "" for a plain success.
func ending(span *tracepb.Span) string {
	var text string
	for _, a := range span.Attributes {
		switch {
		case a.Key == "process.exit.code" && a.Value.GetIntValue() != 0:
			text += fmt.Sprintf(" exit=%d", a.Value.GetIntValue())
		case a.Key == "error.type":
			text += " error=" + a.Value.GetStringValue()
		}
	}
	if span.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR {
		text += " ✗"
	}
	return text
}
