package selfmetrics

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/semconv/v1.43.0/otelconv"
	"go.opentelemetry.io/otel/semconv/v1.43.0/processconv"

	"github.com/procspan/procspan/test/doctable"
)

// docs/metrics.md has the table of all metrics; -update writes it.
func TestMetricsInDocs(t *testing.T) {
	doctable.Check(t, "../docs/metrics.md", "metrics", metricTable(), *update)
}

func metricTable() string {
	var table strings.Builder
	table.WriteString("| metric | kind, unit | description | attributes | when |\n|---|---|---|---|---|\n")
	for _, m := range Metrics() {
		var attributes []string
		for _, a := range m.Attributes {
			attributes = append(attributes, "`"+string(a)+"`")
		}
		fmt.Fprintf(&table, "| `%s` | %s, %s | %s | %s | %s |\n", m.Name, m.Kind, m.Unit, m.Description, strings.Join(attributes, ", "), m.When)
	}
	return table.String()
}

// A name of the semantic conventions is theirs in whole: kind, unit, attributes.
// Any other is under procspan, and none of theirs.
func TestMetricsOfTheConventions(t *testing.T) {
	type convention interface {
		Name() string
		Unit() string
	}
	known := map[string]struct {
		convention
		kind       Kind
		attributes []string
	}{}
	add := func(c convention, kind Kind, attributes ...attribute.KeyValue) {
		var keys []string
		for _, a := range attributes {
			keys = append(keys, string(a.Key))
		}
		known[c.Name()] = struct {
			convention
			kind       Kind
			attributes []string
		}{c, kind, keys}
	}
	var (
		se otelconv.SDKExporterSpanExportedObservable
		si otelconv.SDKExporterSpanInflightObservable
		sq otelconv.SDKProcessorSpanQueueSize
		sc otelconv.SDKProcessorSpanQueueCapacity
		le otelconv.SDKExporterLogExportedObservable
		li otelconv.SDKExporterLogInflightObservable
		lq otelconv.SDKProcessorLogQueueSize
		lc otelconv.SDKProcessorLogQueueCapacity
		od otelconv.SDKExporterOperationDuration
		ct processconv.CPUTime
		mu processconv.MemoryUsageObservable
	)
	// Their kinds are those of their instruments, or this does not compile.
	_, _ = []func() metric.Int64ObservableCounter{se.Inst, le.Inst}, []func() metric.Float64ObservableCounter{ct.Inst}
	_ = []func() metric.Int64ObservableUpDownCounter{si.Inst, li.Inst, sq.Inst, sc.Inst, lq.Inst, lc.Inst, mu.Inst}
	_ = []func() metric.Float64Histogram{od.Inst}
	add(se, Counter, se.AttrErrorType(""), se.AttrComponentName(""), se.AttrComponentType(""), se.AttrServerAddress(""), se.AttrServerPort(0))
	add(le, Counter, le.AttrErrorType(""), le.AttrComponentName(""), le.AttrComponentType(""), le.AttrServerAddress(""), le.AttrServerPort(0))
	add(si, UpDownCounter, si.AttrComponentName(""), si.AttrComponentType(""), si.AttrServerAddress(""), si.AttrServerPort(0))
	add(li, UpDownCounter, li.AttrComponentName(""), li.AttrComponentType(""), li.AttrServerAddress(""), li.AttrServerPort(0))
	add(sq, UpDownCounter, sq.AttrComponentName(""), sq.AttrComponentType(""))
	add(sc, UpDownCounter, sc.AttrComponentName(""), sc.AttrComponentType(""))
	add(lq, UpDownCounter, lq.AttrComponentName(""), lq.AttrComponentType(""))
	add(lc, UpDownCounter, lc.AttrComponentName(""), lc.AttrComponentType(""))
	add(od, Histogram, od.AttrErrorType(""), od.AttrComponentName(""), od.AttrComponentType(""), od.AttrServerAddress(""), od.AttrServerPort(0))
	add(ct, Counter, ct.AttrCPUMode(""))
	add(mu, UpDownCounter)
	for _, m := range Metrics() {
		if strings.HasPrefix(m.Name, "procspan.") {
			continue
		}
		want, ok := known[m.Name]
		if !ok {
			t.Errorf("%s is neither under procspan nor in the semantic conventions", m.Name)
			continue
		}
		if m.Unit != want.Unit() || m.Kind != want.kind {
			t.Errorf("%s is a %s in %s; the conventions have a %s in %s", m.Name, m.Kind, m.Unit, want.kind, want.Unit())
		}
		for _, a := range m.Attributes {
			if !slices.Contains(want.attributes, string(a)) {
				t.Errorf("%s has %s, which the conventions do not have there: %v", m.Name, a, want.attributes)
			}
		}
	}
}

// The list equals what is exported: nothing is missing, nothing too many, each of its
// kind, in its unit and with its attributes.
func TestMetricsAreAll(t *testing.T) {
	o, _ := testOptions(pull())
	w := startFull(t, o)
	reader := sdk.NewManualReader()
	m := &meter{provider: sdk.NewMeterProvider(sdk.WithReader(reader)), close: func() error { return nil }}
	if err := m.instrument("test", w.reading); err != nil {
		t.Fatal(err)
	}
	m.attempted(Spans, 0, grpcTo("collector.example:4317"))(1, "UNAVAILABLE")
	var exported metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &exported); err != nil {
		t.Fatal(err)
	}
	got := map[string]metricdata.Metrics{}
	for _, m := range exported.ScopeMetrics[0].Metrics {
		got[m.Name] = m
	}
	for _, want := range Metrics() {
		m, ok := got[want.Name]
		if !ok {
			t.Errorf("%s is not exported", want.Name)
			continue
		}
		delete(got, want.Name)
		kind, attributes := shapeOf(m.Data)
		if kind != want.Kind || m.Unit != want.Unit || m.Description != want.Description || want.Description == "" {
			t.Errorf("%s is a %s in %s described as %q; the list has a %s in %s: %q", m.Name, kind, m.Unit, m.Description, want.Kind, want.Unit, want.Description)
		}
		var listed []string
		for _, a := range want.Attributes {
			listed = append(listed, string(a))
		}
		slices.Sort(listed)
		if !slices.Equal(attributes, listed) {
			t.Errorf("%s has the attributes %v, the list %v", m.Name, attributes, listed)
		}
	}
	for name := range got {
		t.Errorf("%s is exported, but not in the list", name)
	}
	if err := m.shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

// shapeOf returns the kind of a metric and the attributes of its points.
func shapeOf(data metricdata.Aggregation) (Kind, []string) {
	switch d := data.(type) {
	case metricdata.Sum[int64]:
		return kindOfSum(d.IsMonotonic), keysOf(d.DataPoints)
	case metricdata.Sum[float64]:
		return kindOfSum(d.IsMonotonic), keysOf(d.DataPoints)
	case metricdata.Gauge[float64]:
		return Gauge, keysOf(d.DataPoints)
	case metricdata.Histogram[float64]:
		var keys []string
		for _, p := range d.DataPoints {
			keys = addKeys(keys, p.Attributes)
		}
		return Histogram, keys
	}
	return "", nil
}

func kindOfSum(monotonic bool) Kind {
	if monotonic {
		return Counter
	}
	return UpDownCounter
}

func keysOf[N int64 | float64](points []metricdata.DataPoint[N]) (keys []string) {
	for _, p := range points {
		keys = addKeys(keys, p.Attributes)
	}
	return keys
}

func addKeys(keys []string, set attribute.Set) []string {
	for _, a := range set.ToSlice() {
		keys = append(keys, string(a.Key))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
