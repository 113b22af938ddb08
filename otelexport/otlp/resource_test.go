package otlp

import (
	"maps"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

func TestResourceOfAContainer(t *testing.T) {
	base := resource.NewWithAttributes(semconv.SchemaURL,
		semconv.ServiceName("procspan"), semconv.ServiceVersion("1.2.3"), semconv.HostName("h"), attribute.String("k", "base"))
	for _, tc := range []struct {
		name  string
		attrs []attribute.KeyValue
		want  map[string]any
	}{
		{"the host", nil, map[string]any{"service.name": "procspan", "service.version": "1.2.3", "host.name": "h", "k": "base"}},
		{"added and replaced", []attribute.KeyValue{attribute.String("k", "own"), semconv.ContainerID("c1")},
			map[string]any{"service.name": "procspan", "service.version": "1.2.3", "host.name": "h", "k": "own", "container.id": "c1"}},
		{"another service", []attribute.KeyValue{semconv.ServiceName("web")},
			map[string]any{"service.name": "web", "host.name": "h", "k": "base"}},
		{"not UTF-8", []attribute.KeyValue{attribute.String("k\xff", "v\xff"), attribute.StringSlice("k", []string{"\xff"})},
			map[string]any{"service.name": "procspan", "service.version": "1.2.3", "host.name": "h", "k": "\uFFFD", "k\uFFFD": "v\uFFFD"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := decodeResource(t, NewResource(base, tc.attrs, ""))
			if attrs := values(got.Resource.Attributes); !maps.Equal(attrs, tc.want) {
				t.Errorf("got %v, want %v", attrs, tc.want)
			}
			if got.SchemaUrl != semconv.SchemaURL {
				t.Errorf("schema url: got %q", got.SchemaUrl)
			}
		})
	}
}

// decodeResource reads an encoded resource as a server does.
func decodeResource(t *testing.T, r *Resource) *tracepb.ResourceSpans {
	t.Helper()
	var spans tracepb.ResourceSpans
	if err := proto.Unmarshal(r.Wire, &spans); err != nil {
		t.Fatalf("decode resource: %v", err)
	}
	return &spans
}
