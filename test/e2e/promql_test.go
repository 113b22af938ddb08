package e2e

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v4"
)

// TestPromQL holds that what stands in deploy for Prometheus and Grafana is
// PromQL, by Prometheus' own parser. That it is over metrics there are is held
// where they are made.
func TestPromQL(t *testing.T) {
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr, For string }
		}
	}
	if err := yaml.Unmarshal(readFile(t, "../../deploy/alerts.yml"), &rules); err != nil {
		t.Fatal(err)
	}
	parsed := 0
	for _, group := range rules.Groups {
		for _, r := range group.Rules {
			if _, err := parser.ParseExpr(r.Expr); err != nil {
				t.Errorf("alert %s: %v", r.Alert, err)
			}
			if _, err := model.ParseDuration(r.For); r.For != "" && err != nil {
				t.Errorf("alert %s: for: %v", r.Alert, err)
			}
			parsed++
		}
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(readFile(t, "../../deploy/grafana-dashboard.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	// As Grafana fills them in.
	variables := strings.NewReplacer("$__rate_interval", "1m0s", "$__range", "3h", "$job", "procspan", "$instance", "h:9464")
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			if _, err := parser.ParseExpr(variables.Replace(target.Expr)); err != nil {
				t.Errorf("panel %q: %v in %s", p.Title, err, target.Expr)
			}
			parsed++
		}
	}
	if parsed < 20 {
		t.Errorf("there are %d expressions", parsed)
	}
	if _, err := parser.ParseExpr("sum by (a) rate(b[5m])"); err == nil {
		t.Error("the parser takes anything")
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
