package selfmetrics

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"go.yaml.in/yaml/v4"
)

// The files in deploy use metrics and labels that there are, by what the real
// endpoint serves. That their expressions are PromQL is held in e2e.

// rules is a file of Prometheus rules.
type rules struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []struct {
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			For         string            `yaml:"for"`
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

// dashboard is what of a Grafana dashboard has expressions.
type dashboard struct {
	Title  string
	Panels []struct {
		ID      int
		Type    string
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ Expr, LegendFormat string }
	}
	Templating struct {
		List []struct {
			Name       string
			Definition string
		}
	}
}

func TestAlerts(t *testing.T) {
	data, err := os.ReadFile("../deploy/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file rules
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	served := newVocabulary(scrape(t))
	names := map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" || names[r.Alert] || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%q lacks a name of its own, a severity, a summary or a description", r.Alert)
			}
			names[r.Alert] = true
			for _, problem := range served.check(r.Expr) {
				t.Errorf("%s: %s", r.Alert, problem)
			}
			for _, text := range r.Annotations {
				for _, m := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(text, -1) {
					if !strings.Contains(r.Expr, m[1]) && !served.everywhere(m[1]) {
						t.Errorf("%s: %q uses the label %s, which its expression does not keep", r.Alert, text, m[1])
					}
				}
			}
		}
	}
	if len(names) < 5 {
		t.Errorf("there are %d alerts", len(names))
	}
}

func TestDashboard(t *testing.T) {
	data, err := os.ReadFile("../deploy/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	served := newVocabulary(scrape(t))
	ids, variables := map[int]bool{}, map[string]bool{"__rate_interval": true, "__range": true}
	for _, v := range d.Templating.List {
		variables[v.Name] = true
		if v.Definition != "" { // label_values(METRIC, LABEL)
			inner := strings.TrimSuffix(strings.TrimPrefix(v.Definition, "label_values("), ")")
			metric := inner[:strings.LastIndex(inner, ",")]
			for _, problem := range served.check(metric) {
				t.Errorf("variable %s: %s", v.Name, problem)
			}
		}
	}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d (%q): its id is not its own, or it has no title, no expression or no place", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			for _, problem := range served.check(target.Expr) {
				t.Errorf("panel %q: %s", p.Title, problem)
			}
			for _, m := range regexp.MustCompile(`\$(\w+)`).FindAllStringSubmatch(target.Expr, -1) {
				if !variables[m[1]] {
					t.Errorf("panel %q uses $%s, which is no variable", p.Title, m[1])
				}
			}
			for _, m := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				if !strings.Contains(target.Expr, m[1]) && !served.everywhere(m[1]) {
					t.Errorf("panel %q names the label %s, which its expression does not keep", p.Title, m[1])
				}
			}
		}
	}
	for name := range served.metrics {
		if !strings.Contains(string(data), name) && name != "target_info" {
			t.Errorf("%s is shown nowhere", name)
		}
	}
}

// vocabulary is the metrics there are, by the names of their series, and which
// values their labels have.
type vocabulary struct {
	metrics map[string]map[string][]string
	series  map[string]string // name of a series: its metric
}

func newVocabulary(families map[string]*dto.MetricFamily) vocabulary {
	v := vocabulary{map[string]map[string][]string{}, map[string]string{"up": "up"}}
	for name, f := range families {
		labels := map[string][]string{}
		for _, m := range f.Metric {
			for _, l := range m.Label {
				labels[l.GetName()] = append(labels[l.GetName()], l.GetValue())
			}
		}
		v.metrics[name], v.series[name] = labels, name
		if f.GetType() == dto.MetricType_HISTOGRAM {
			labels["le"] = nil
			delete(v.series, name)
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				v.series[name+suffix] = name
			}
		}
	}
	return v
}

// everywhere reports whether every series has the label: Prometheus adds some.
func (v vocabulary) everywhere(label string) bool { return label == "job" || label == "instance" }

var (
	token    = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[a-zA-Z_:$][\w:]*|\S`)
	keywords = []string{"and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset"}
)

// check returns what an expression uses that there is not.
func (v vocabulary) check(expr string) (problems []string) {
	tokens := token.FindAllString(expr, -1)
	at := func(i int) string {
		if i < 0 || i >= len(tokens) {
			return ""
		}
		return tokens[i]
	}
	fail := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	var used []string // metrics
	var grouped []string
	for i := 0; i < len(tokens); i++ {
		switch word := tokens[i]; {
		case word == "{":
			metric := v.series[at(i-1)]
			for i++; at(i) != "}" && i < len(tokens); i++ {
				if at(i) == "," {
					continue
				}
				label, operator := at(i), at(i+1)
				i++
				if next := at(i + 1); next == "~" || next == "=" {
					operator, i = operator+next, i+1
				}
				i++
				v.matcher(metric, label, operator, strings.Trim(at(i), `"`), fail)
			}
		case word == "[":
			for at(i) != "]" && i < len(tokens) {
				i++
			}
		case slices.Contains(keywords, word) && at(i+1) == "(":
			for i += 2; at(i) != ")" && i < len(tokens); i++ {
				if at(i) != "," {
					grouped = append(grouped, at(i))
				}
			}
		case slices.Contains(keywords, word), at(i+1) == "(", at(i+1) == "by", at(i+1) == "without", !regexp.MustCompile(`^[a-zA-Z_]`).MatchString(word):
		case v.series[word] == "":
			fail("there is no metric %s", word)
		default:
			used = append(used, v.series[word])
		}
	}
	if len(used)+len(problems) == 0 {
		fail("%q uses no metric", expr)
	}
	for _, label := range grouped {
		if !v.everywhere(label) && !slices.ContainsFunc(used, func(metric string) bool { _, ok := v.metrics[metric][label]; return ok }) {
			fail("no metric in it has the label %s", label)
		}
	}
	return problems
}

// matcher checks one label of a selector: that the metric has it, and the value.
func (v vocabulary) matcher(metric, label, operator, value string, fail func(string, ...any)) {
	if v.everywhere(label) {
		return
	}
	values, ok := v.metrics[metric][label]
	switch {
	case !ok:
		fail("%s has no label %s", metric, label)
	case operator == "=" && value != "" && !slices.Contains(values, value):
		fail("%s is never %q in %s", label, value, metric)
	}
}

// The check finds what it is for.
func TestVocabulary(t *testing.T) {
	served := newVocabulary(scrape(t))
	for expr, want := range map[string]string{
		`sum by (procspan_event_kind) (rate(procspan_events_total{job=~"$job"}[5m])) > 0`: "",
		`procspan_events > 1`:                                "there is no metric procspan_events",
		`rate(procspan_events_total{kind="fork"}[5m])`:       "procspan_events_total has no label kind",
		`procspan_events_total{procspan_event_kind="spoon"}`: `procspan_event_kind is never "spoon" in procspan_events_total`,
		`sum by (kind) (procspan_events_total)`:              "no metric in it has the label kind",
		`otel_sdk_exporter_operation_duration_seconds`:       "there is no metric otel_sdk_exporter_operation_duration_seconds",
		`histogram_quantile(0.5, sum by (le) (rate(otel_sdk_exporter_operation_duration_seconds_bucket[5m])))`: "",
		`up{job="procspan"} == 0 unless on (instance) procspan_ring_usage_bytes / procspan_ring_limt_bytes`:    "there is no metric procspan_ring_limt_bytes",
		`1 > 0`: `"1 > 0" uses no metric`,
	} {
		if got := strings.Join(served.check(expr), "; "); got != want {
			t.Errorf("%s: got %q, want %q", expr, got, want)
		}
	}
}
