package selfmetrics

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/procspan/procspan/config"
)

// Without configuration there is no Watch, and reporting to it does nothing.
func TestNothingToTell(t *testing.T) {
	o, out := testOptions(config.Metrics{})
	o.Metrics = nil
	w, err := Start(o)
	if w != nil || err != nil {
		t.Fatalf("got %v, %v", w, err)
	}
	if w.Watches() || w.Attempted(Spans, 0, grpcTo("a:1")) != nil {
		t.Error("a Watch without configuration has a reader")
	}
	w.Publish(fullSnapshot())
	w.Follow(delivery{})
	if err := w.Shutdown(context.Background()); err != nil || out.String() != "" {
		t.Errorf("got %v, and the log\n%s", err, out)
	}
}

func TestHealth(t *testing.T) {
	o, out := testOptions(config.Metrics{})
	o.Metrics, o.Health.Endpoint = nil, "localhost:0"
	w, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Shutdown(context.Background())
	if w.meter != nil || w.Attempted(Spans, 0, grpcTo("a:1")) != nil {
		t.Error("there are metrics, though none are configured")
	}
	url := "url=http://" + w.servers[0].address() + "/readyz"
	if !strings.Contains(out.String(), url) || !strings.Contains(url, "127.0.0.1") && !strings.Contains(url, "[::1]") {
		t.Errorf("no %s in the log:\n%s", url, out)
	}
	for _, tc := range []struct {
		status      string
		snapshot    *Snapshot
		live, ready int
	}{
		{"starting", nil, http.StatusOK, http.StatusServiceUnavailable},
		{"observing", &Snapshot{At: time.Now(), Observing: true, Living: 7}, http.StatusOK, http.StatusOK},
		{"stalled", &Snapshot{At: time.Now().Add(-stalledAfter), Observing: true, Living: 7}, http.StatusServiceUnavailable, http.StatusServiceUnavailable},
		{"stopping", &Snapshot{At: time.Now().Add(-stalledAfter), Living: 7}, http.StatusOK, http.StatusServiceUnavailable},
	} {
		w.Publish(tc.snapshot)
		for path, want := range map[string]int{"/livez": tc.live, "/readyz": tc.ready} {
			body, header := get(t, w.servers[0], path, want)
			var got answer
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			if got.Status != tc.status || tc.snapshot != nil && (got.Living != 7 || got.SinceMoved <= 0) || got.SinceMoved > 60 {
				t.Errorf("%s: %s when it is %s", path, body, tc.status)
			}
			if header.Get("Content-Type") != "application/json" || header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: headers %v", path, header)
			}
		}
	}
	get(t, w.servers[0], "/metrics", http.StatusNotFound)
}

// A port that is taken is an error that names the option, and leaves nothing
// behind.
func TestPortTaken(t *testing.T) {
	o, _ := testOptions(pull())
	o.Health.Endpoint = "127.0.0.1:0"
	w, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Shutdown(context.Background())
	health, metrics := w.servers[0].address(), w.servers[1]
	for name, change := range map[string]func(*Options){
		"distribution.procspan.health":  func(o *Options) { o.Metrics, o.Health.Endpoint = nil, health },
		"OTEL_EXPORTER_PROMETHEUS_PORT": func(o *Options) { o.Metrics.Prometheus.Port = metrics.listener.Addr().(*net.TCPAddr).Port },
	} {
		second, _ := testOptions(pull())
		second.Health.Endpoint = "127.0.0.1:0"
		change(&second)
		if w, err := Start(second); err == nil || w != nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "in use") {
			t.Errorf("got %v, want an error that names %s", err, name)
		}
		var probed error
		if second.Metrics != nil {
			probed = ProbePrometheus(second.Metrics.Prometheus)
		} else {
			probed = ProbeHealth(second.Health)
		}
		if probed == nil || !strings.Contains(probed.Error(), name) {
			t.Errorf("probed: got %v, want an error that names %s", probed, name)
		}
	}
	if err := ProbePrometheus(pull().Prometheus); err != nil {
		t.Errorf("any free port: %v", err)
	}
}
