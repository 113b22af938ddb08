package otlp

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// The fields of ResourceSpans and ResourceLogs other than the items, and of
// opentelemetry/proto/resource/v1.
const (
	fieldResource, fieldSchemaURL = 1, 3
	fieldResourceAttributes       = 1
)

// Resource is what spans and log records describe: this host, or a container, pod
// or unit on it. One is made per workload and shared by all its processes.
type Resource struct {
	// Wire holds the fields of ResourceSpans, and of ResourceLogs, that are not the
	// items. It identifies the resource: two resources share no array.
	Wire   []byte
	cgroup string // process.linux.cgroup of its processes
}

// NewResource returns the resource base with attrs added; attrs win.
func NewResource(base *resource.Resource, attrs []attribute.KeyValue, cgroup string) *Resource {
	own := base.Attributes()
	isServiceName := func(a attribute.KeyValue) bool { return a.Key == semconv.ServiceNameKey }
	if slices.ContainsFunc(attrs, isServiceName) {
		// The version belongs to another service.
		own = slices.DeleteFunc(own, func(a attribute.KeyValue) bool { return a.Key == semconv.ServiceVersionKey })
	}
	var list attributeList
	list.reset(fieldResourceAttributes)
	set := attribute.NewSet(append(own, attrs...)...) // the last value of a key wins
	for it := set.Iter(); it.Next(); {
		list.set(it.Attribute())
	}
	wire := appendBytes(nil, fieldResource, list.wire)
	return &Resource{Wire: appendBytes(wire, fieldSchemaURL, base.SchemaURL()), cgroup: cgroup}
}

// scopeName is the instrumentation scope of every span and log record.
const scopeName = "github.com/procspan/procspan"

// Scope returns the fields of ScopeSpans, and of ScopeLogs, that are not the
// items.
func Scope(version string) []byte {
	scope := appendBytes(nil, 1, scopeName) // InstrumentationScope.name
	scope = appendBytes(scope, 2, validUTF8(version))
	return appendBytes(appendBytes(nil, 1, scope), fieldSchemaURL, semconv.SchemaURL)
}
