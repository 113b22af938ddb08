package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	collectormetricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
)

// metricsSink is the side of the collector that takes metrics. It keeps the last
// request, a line a point: "name attribute=value… number".
type metricsSink struct {
	collectormetricspb.UnimplementedMetricsServiceServer
	mu     sync.Mutex
	points string
}

// Export is what the exporter calls.
func (s *metricsSink) Export(_ context.Context, r *collectormetricspb.ExportMetricsServiceRequest) (*collectormetricspb.ExportMetricsServiceResponse, error) {
	if len(r.ResourceMetrics) == 0 { // doctor's
		return &collectormetricspb.ExportMetricsServiceResponse{}, nil
	}
	var points strings.Builder
	for _, m := range r.ResourceMetrics[0].ScopeMetrics[0].Metrics {
		for _, p := range append(m.GetSum().GetDataPoints(), m.GetGauge().GetDataPoints()...) {
			points.WriteString(pointLine(m.Name, p))
		}
		for _, p := range m.GetHistogram().GetDataPoints() {
			fmt.Fprintf(&points, "%s count %d\n", m.Name, p.Count)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.points = points.String()
	return &collectormetricspb.ExportMetricsServiceResponse{}, nil
}

func pointLine(name string, p *metricspb.NumberDataPoint) string {
	for _, a := range p.Attributes {
		name += " " + a.Key + "=" + a.Value.GetStringValue()
	}
	return fmt.Sprintf("%s %v\n", name, float64(p.GetAsInt())+p.GetAsDouble())
}

func (s *metricsSink) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.points
}

// eventually asks again and again, for what tells nobody when it changes.
func eventually(ts *testscript.TestScript, what string, ask func() (got string, ok bool)) {
	for giveUp := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		got, ok := ask()
		if ok {
			return
		}
		if time.Now().After(giveUp) {
			ts.Fatalf("%s has not come in %s; the last was\n%s", what, patience, got)
		}
	}
}

func measured(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts).sink
	if neg || len(args) != 1 || s == nil {
		ts.Fatalf("usage: measured REGEXP, after sink")
	}
	want, err := regexp.Compile(`(?m)` + args[0])
	ts.Check(err)
	eventually(ts, args[0], func() (string, bool) {
		got := s.metrics.last()
		return got, want.MatchString(got)
	})
}

func served(ts *testscript.TestScript, neg bool, args []string) {
	p := programOf(ts, neg, args, "served NAME WHAT VAR", 3, 3)
	line := regexp.MustCompile(`msg="serving ` + args[1] + `" url=(\S+)`)
	await(ts, false, []string{args[0], line.String()})
	at := line.FindStringSubmatch(p.err.String())[1]
	ts.Setenv(args[2], at)
	u, err := url.Parse(at)
	ts.Check(err)
	ts.Setenv(args[2]+"_PORT", u.Port())
}

func fetch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: fetch CODE URL REGEXP")
	}
	want, err := regexp.Compile(`(?m)` + args[2])
	ts.Check(err)
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	eventually(ts, args[2], func() (string, bool) {
		r, err := client.Get(args[1])
		ts.Check(err)
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		ts.Check(err)
		return r.Status + "\n" + string(body), r.StatusCode == number(ts, args[0]) && want.Match(body)
	})
}
