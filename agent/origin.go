package agent

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/enrich"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

// procspan's own attributes of a resource, for what the semantic conventions
// have no name.
const (
	attrSystemdUnit     = "procspan.systemd.unit"
	attrSystemdUserUnit = "procspan.systemd.user_unit"
	attrSystemdSlice    = "procspan.systemd.slice"
	attrPodQoS          = "procspan.k8s.pod.qos_class"
)

// origins knows where processes belong: in which container, pod or unit. It
// makes each a resource once.
type origins struct {
	strategy config.ServiceName
	make     func(attrs []attribute.KeyValue, cgroup string) *otelexport.Resource
	paths    *recent[uint64, string]
	known    *recent[origin, *otelexport.Resource]
}

type origin struct {
	cgroup     process.Cgroup
	executable string // where services are named after it
}

// maxOrigins bounds what is remembered. It is more than the kernel side remembers
// to have told, which tells a path again that it has forgotten.
const maxOrigins = 16_384

func newOrigins(strategy config.ServiceName, exporter *otelexport.Exporter) *origins {
	return &origins{
		strategy: strategy,
		make:     exporter.Resource,
		paths:    newRecent[uint64, string](maxOrigins),
		known:    newRecent[origin, *otelexport.Resource](maxOrigins),
	}
}

// rootID is the id of the root of every hierarchy (kernfs_new_root).
const rootID = 1

// name notes the path of a cgroup.
func (o *origins) name(id uint64, path string) {
	if id != rootID && path != "" {
		o.paths.set(id, path)
	}
}

// of returns the resource of a process; nil is the host's.
func (o *origins) of(cgroup process.Cgroup, image *process.Image) *otelexport.Resource {
	key := origin{cgroup: cgroup}
	if o.strategy == config.ServiceNameExecutable {
		key.executable = image.ExecutableName()
	}
	r, ok := o.known.get(key)
	if ok {
		return r
	}
	v2, ok2 := o.path(cgroup.V2)
	v1, ok1 := o.path(cgroup.V1)
	r = o.resource(v2, v1, key.executable)
	if ok2 && ok1 { // a path that was lost may still come
		o.known.set(key, r)
	}
	return r
}

// path returns the path of a cgroup; ok is false when it is not known.
func (o *origins) path(id uint64) (path string, ok bool) {
	switch id {
	case 0:
		return "", true
	case rootID:
		return "/", true
	}
	return o.paths.get(id)
}

func (o *origins) resource(v2, v1, executable string) *otelexport.Resource {
	path, workload := enrich.Innermost(v2, v1)
	var attrs []attribute.KeyValue
	set := func(key attribute.Key, value string) {
		if value != "" {
			attrs = append(attrs, key.String(value))
		}
	}
	set(semconv.ContainerIDKey, workload.ContainerID)
	set(semconv.ContainerNameKey, workload.ContainerName)
	set(semconv.ContainerRuntimeNameKey, workload.Runtime)
	set(semconv.K8SPodUIDKey, workload.PodUID)
	set(semconv.AWSECSTaskIDKey, workload.TaskID)
	set(attrPodQoS, workload.QoS)
	set(attrSystemdUnit, workload.Unit)
	set(attrSystemdUserUnit, workload.UserUnit)
	set(attrSystemdSlice, workload.Slice)
	switch o.strategy {
	case config.ServiceNameExecutable:
		set(semconv.ServiceNameKey, executable)
	case config.ServiceNameUnit:
		set(semconv.ServiceNameKey, serviceName(workload))
	}
	if len(attrs) == 0 && path == "" {
		return nil
	}
	return o.make(attrs, path)
}

// serviceName is what a container or service is called: by its name, or by the
// short form of its id; "" for what is neither, such as a login session.
func serviceName(w enrich.Workload) string {
	const short = 12 // as docker ps has it
	switch service := strings.TrimSuffix(w.Unit, ".service"); {
	case w.ContainerName != "":
		return w.ContainerName
	case len(w.ContainerID) > short:
		return w.ContainerID[:short]
	case w.ContainerID != "":
		return w.ContainerID
	case strings.HasSuffix(w.UserUnit, ".service"):
		return strings.TrimSuffix(w.UserUnit, ".service")
	case w.UserUnit == "" && service != w.Unit && !strings.HasPrefix(service, "user@"):
		return service
	}
	return ""
}
