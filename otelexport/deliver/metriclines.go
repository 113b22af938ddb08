package deliver

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	colmetricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/otlpjson"
)

// MetricsClient returns an HTTP client for the SDK's OTLP/HTTP exporter that sends
// nothing. It writes each request, which must not be compressed, to the file or the
// standard output of the exporter, and answers 200. A failed write is the request's
// error. It uses o.Files, o.Stdout and o.Log.
func MetricsClient(to config.Exporter, o *Options) *http.Client {
	format := consoleMetrics
	if to.Console == nil {
		message := otlpjson.New(requests[Metrics].ProtoReflect().Descriptor())
		format = func(to, request []byte) ([]byte, error) {
			to, err := message.Append(to, request)
			return append(to, '\n'), err
		}
	}
	return &http.Client{Transport: &metricLines{to: newWriter(to, o), format: format}}
}

// metricLines writes requests. The SDK makes them one after the other.
type metricLines struct {
	to     writer
	format func(to, request []byte) ([]byte, error)
}

// RoundTrip implements http.RoundTripper.
func (m *metricLines) RoundTrip(r *http.Request) (*http.Response, error) {
	request, err := io.ReadAll(r.Body)
	if err = errors.Join(err, r.Body.Close()); err != nil {
		return nil, err
	}
	lines, err := m.format(nil, request)
	if err != nil {
		return nil, err
	}
	if err := m.to.write(r.Context(), lines); err != nil {
		return nil, err
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, Request: r,
	}, nil
}

// CloseIdleConnections closes the file; http.Client calls it.
func (m *metricLines) CloseIdleConnections() { m.to.close() }

// consoleMetrics appends a line for each point of a request with metrics.
func consoleMetrics(to, request []byte) ([]byte, error) {
	var of colmetricspb.ExportMetricsServiceRequest
	if err := proto.Unmarshal(request, &of); err != nil {
		return to, err
	}
	for _, r := range of.ResourceMetrics {
		service := serviceName(r.Resource)
		for _, s := range r.ScopeMetrics {
			for _, m := range s.Metrics {
				to = appendMetricLines(to, m, service)
			}
		}
	}
	return to, nil
}

func appendMetricLines(to []byte, m *metricspb.Metric, service string) []byte {
	begin := func(unixNano uint64) {
		to = append(appendTime(to, unixNano), " metric "...)
		to = append(appendText(to, m.Name), ' ')
	}
	end := func(attributes []*commonpb.KeyValue) {
		if m.Unit != "" {
			to = appendField(to, "unit", m.Unit)
		}
		to = append(appendAttributes(appendField(to, "service.name", service), attributes), '\n')
	}
	points := append(m.GetSum().GetDataPoints(), m.GetGauge().GetDataPoints()...) // one of them has none
	for _, p := range points {
		begin(p.TimeUnixNano)
		if v, ok := p.Value.(*metricspb.NumberDataPoint_AsInt); ok {
			to = strconv.AppendInt(to, v.AsInt, 10)
		} else {
			to = strconv.AppendFloat(to, p.GetAsDouble(), 'g', -1, 64)
		}
		end(p.Attributes)
	}
	for _, p := range m.GetHistogram().GetDataPoints() {
		begin(p.TimeUnixNano)
		to = strconv.AppendFloat(to, p.GetSum(), 'g', -1, 64)
		to = appendField(to, "count", strconv.FormatUint(p.Count, 10))
		end(p.Attributes)
	}
	return to
}
