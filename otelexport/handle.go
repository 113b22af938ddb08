package otelexport

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

const (
	// The fields of ResourceSpans and of ResourceLogs that a Resource is made of,
	// and of opentelemetry/proto/resource/v1.
	fieldResource, fieldSchemaURL = 1, 3
	fieldResourceAttributes       = 1
	// partOverhead is what a resource adds to a request beside itself: scope,
	// schema URL, lengths; roughly, in bytes.
	partOverhead = 256
)

// Resource is what spans and log records are about: this host, or a container,
// a pod, a unit on it. It is a handle that is made once and used for each of its
// processes; one that is not used any more needs no closing.
type Resource struct {
	wire   []byte // the fields of ResourceSpans, and of ResourceLogs, that are not the items
	size   int    // what it adds to a request, in bytes
	cgroup string
}

// Resource returns the host's resource with attrs added; attrs win. The spans and
// records have cgroup, where it is not "", as process.linux.cgroup. It may be called by
// any goroutine.
func (e *Exporter) Resource(attrs []attribute.KeyValue, cgroup string) *Resource {
	return newResource(e.base, attrs, cgroup)
}

func newResource(base *resource.Resource, attrs []attribute.KeyValue, cgroup string) *Resource {
	own := base.Attributes()
	if has(attrs, semconv.ServiceNameKey) {
		// It is the version of another service.
		own = slices.DeleteFunc(own, func(a attribute.KeyValue) bool { return a.Key == semconv.ServiceVersionKey })
	}
	var list attributeList
	list.reset(fieldResourceAttributes)
	set := attribute.NewSet(append(own, attrs...)...) // the last of a name counts
	for it := set.Iter(); it.Next(); {
		list.set(it.Attribute())
	}
	wire := appendBytes(nil, fieldResource, list.wire)
	wire = appendBytes(wire, fieldSchemaURL, base.SchemaURL())
	return &Resource{wire: wire, size: len(wire) + partOverhead, cgroup: cgroup}
}
