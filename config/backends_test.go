package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/procspan/procspan/test/doctable"
)

// backend is what a file of deploy/backends has to say.
type backend struct {
	vars    map[string]string // those without a default
	url     string            // of spans; the target over gRPC
	headers string            // NAME=value
	check   func(c Config) bool
}

var backends = map[string]backend{
	"jaeger":         {url: "localhost:4317"},
	"collector":      {url: "localhost:4317"},
	"tempo":          {url: "localhost:4317", check: func(c Config) bool { return *c.Traces.Limits.ValueLength == 2048 && c.TracePolicy.MaxBytes < 5e6 }},
	"grafana-cloud":  {vars: map[string]string{"GRAFANA_OTLP_ENDPOINT": "https://gateway.example/otlp", "GRAFANA_OTLP_TOKEN": "aTp0"}, url: "https://gateway.example/otlp/v1/traces", headers: "authorization=Basic aTp0", check: func(c Config) bool { return c.TracePolicy.MaxBytes < 5e6 }},
	"honeycomb":      {vars: map[string]string{"HONEYCOMB_API_KEY": "t0ken"}, url: "https://api.honeycomb.io/v1/traces", headers: "x-honeycomb-team=t0ken"},
	"datadog":        {vars: map[string]string{"DD_OTLP_TRACES_ENDPOINT": "https://intake.example/api/v0.2/traces", "DD_API_KEY": "t0ken"}, url: "https://intake.example/api/v0.2/traces", headers: "dd-api-key=t0ken compute_stats=true"},
	"dynatrace":      {vars: map[string]string{"DYNATRACE_OTLP_ENDPOINT": "https://e.live.dynatrace.com/api/v2/otlp", "DYNATRACE_API_TOKEN": "t0ken"}, url: "https://e.live.dynatrace.com/api/v2/otlp/v1/traces", headers: "authorization=Api-Token t0ken", check: func(c Config) bool { return c.Delivery.MaxAge < time.Hour && c.Metrics.Periodic.Temporality == Delta }},
	"newrelic":       {vars: map[string]string{"NEW_RELIC_LICENSE_KEY": "t0ken"}, url: "https://otlp.nr-data.net/v1/traces", headers: "api-key=t0ken", check: func(c Config) bool { return *c.Traces.Limits.ValueLength == 4095 && c.Rules[0].Args.DropAfter == 64 }},
	"elastic":        {vars: map[string]string{"ELASTIC_OTLP_ENDPOINT": "https://e.example:443", "ELASTIC_API_KEY": "t0ken"}, url: "https://e.example:443/v1/traces", headers: "authorization=ApiKey t0ken"},
	"signoz":         {vars: map[string]string{"SIGNOZ_INGESTION_KEY": "t0ken"}, url: "http://localhost:4318/v1/traces", headers: "signoz-ingestion-key=t0ken"},
	"clickstack":     {vars: map[string]string{"CLICKSTACK_API_KEY": "t0ken"}, url: "http://localhost:4318/v1/traces", headers: "authorization=t0ken"},
	"victoriatraces": {url: "http://localhost:10428/insert/opentelemetry/v1/traces"},
	"axiom":          {vars: map[string]string{"AXIOM_TOKEN": "t0ken", "AXIOM_DATASET": "procspan"}, url: "https://api.axiom.co/v1/traces", headers: "authorization=Bearer t0ken x-axiom-dataset=procspan"},
	"dash0": {vars: map[string]string{"DASH0_ENDPOINT": "https://ingress.example", "DASH0_TOKEN": "t0ken"}, url: "https://ingress.example/v1/traces", headers: "authorization=Bearer t0ken", check: func(c Config) bool {
		l := c.Traces.Limits
		return *l.ValueLength == 2048 && *l.Count == 32 && l.EventCount == 8 && l.EventAttributeCount == 8 && c.TracePolicy.MaxSpans == 2000 && c.Delivery.MaxAge < 6*time.Hour
	}},
}

// Each file of deploy/backends loads as a user would load it, and says what the back
// end needs.
func TestBackends(t *testing.T) {
	files, err := filepath.Glob("../deploy/backends/*.yaml")
	if err != nil || len(files) != len(backends) {
		t.Fatalf("%d files, want %d: %v", len(files), len(backends), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			b := backends[name]
			c, err := Load(file, lookup(b.vars))
			if err != nil {
				t.Fatal(err)
			}
			e := c.Traces.Pipelines[0].Exporter
			url := e.Target()
			if e.OTLPHTTP != nil {
				url = e.OTLPHTTP.URL
			}
			var headers []string
			for _, h := range e.Common().Headers {
				headers = append(headers, h.Name+"="+h.Value.Reveal())
			}
			if got := strings.Join(headers, " "); url != b.url || got != b.headers {
				t.Errorf("sends to %s with %q, want %s with %q", url, got, b.url, b.headers)
			}
			if b.check != nil && !b.check(c) {
				t.Errorf("its limits are not the back end's:\n%s", c.YAML())
			}
			if c.Metrics != nil {
				m := c.Metrics.Periodic.Exporter
				if m.OTLPHTTP != nil && m.OTLPHTTP.URL != strings.Replace(b.url, "/traces", "/metrics", 1) || m.OTLPHTTP == nil && m.Target() != b.url {
					t.Errorf("sends metrics elsewhere:\n%s", c.YAML())
				}
			}
		})
	}
}

// docs/backends.md has each file; -update writes them.
func TestBackendsInDocs(t *testing.T) {
	for name := range backends {
		file, err := os.ReadFile("../deploy/backends/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		doctable.Check(t, "../docs/backends.md", name, "```yaml\n"+string(file)+"```\n", *update)
	}
}
