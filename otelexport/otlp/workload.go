package otlp

import (
	"encoding/binary"
	"errors"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/enrich"
	"github.com/procspan/procspan/process"
)

// The attributes of a resource that the semantic conventions do not define.
const (
	attrSystemdUnit     = "procspan.systemd.unit"
	attrSystemdUserUnit = "procspan.systemd.user_unit"
	attrSystemdSlice    = "procspan.systemd.slice"
	attrPodQoS          = "procspan.k8s.pod.qos_class"
)

// Workloads finds the Resource that a process belongs to: a container, a pod, a
// unit or the host. It makes one Resource per workload and caches it.
//
// BPF reports the path of a cgroup once, and again only after it has evicted the
// cgroup from its own cache. So a path lives here as long as its cgroup is used.
type Workloads struct {
	strategy config.ServiceName
	base     *resource.Resource
	host     *Resource
	paths    *recent[uint64, string]
	known    *recent[workloadKey, workload]
	// treated is the last treatment that sets attributes, set their text.
	treated *process.Treatment
	set     string
}

type workloadKey struct {
	cgroup     process.Cgroup
	executable string // if services are named after it
	set        string // what rules set; see settings
}

// workload is a resource and the paths that it was made from; "" is unknown.
type workload struct {
	resource *Resource
	v2, v1   string
}

const (
	// maxWorkloads is how many cgroups are remembered at least: more than BPF does.
	maxWorkloads = 16_384
	// maxWorkloadBytes bounds paths and resources, since users can create cgroups
	// with long names. The caches keep at most twice as much each.
	maxWorkloadBytes = 8 << 20
)

// NewWorkloads returns workloads of the host that base describes.
func NewWorkloads(strategy config.ServiceName, base *resource.Resource) *Workloads {
	return &Workloads{
		strategy: strategy,
		base:     base,
		host:     NewResource(base, nil, ""),
		paths:    newRecent[uint64, string](maxWorkloads, maxWorkloadBytes),
		known:    newRecent[workloadKey, workload](maxWorkloads, maxWorkloadBytes),
	}
}

// Describe changes what the host's resource is, and what services are named after. The
// paths stay.
func (w *Workloads) Describe(strategy config.ServiceName, base *resource.Resource) {
	for key, of := range w.known.all() { // which may be all that knows a path
		w.Named(key.cgroup.V2, of.v2)
		w.Named(key.cgroup.V1, of.v1)
	}
	fresh := NewWorkloads(strategy, base)
	fresh.paths = w.paths
	*w = *fresh
}

// rootID is the id of the root of every hierarchy (kernfs_new_root).
const rootID = 1

// Named notes the path of a cgroup.
func (w *Workloads) Named(id uint64, path string) {
	if id > rootID && path != "" {
		w.paths.set(id, path, len(path))
	}
}

// Paths returns the paths of a process's cgroups; "" is unknown.
func (w *Workloads) Paths(cgroup process.Cgroup) (v2, v1 string) {
	return w.path(cgroup.V2, ""), w.path(cgroup.V1, "")
}

// Of returns the resource of a process; t, if set, is how rules change it.
func (w *Workloads) Of(cgroup process.Cgroup, image *process.Image, t *process.Treatment) *Resource {
	key := workloadKey{cgroup: cgroup, set: w.settings(t)}
	if w.strategy == config.ServiceNameExecutable {
		key.executable = image.ExecutableName()
	}
	of, ok := w.known.get(key)
	v2, v1 := w.path(cgroup.V2, of.v2), w.path(cgroup.V1, of.v1) // each use keeps the path
	if !ok || of.v2 != v2 || of.v1 != v1 {                       // a path that was missing may have come
		of = workload{w.resource(v2, v1, key.executable, t), v2, v1}
		w.known.set(key, of, len(of.resource.Wire)+len(key.set))
	}
	return of.resource
}

// settings returns what a treatment sets of the resource, as one text.
func (w *Workloads) settings(t *process.Treatment) string {
	switch {
	case t == nil || len(t.Resource) == 0:
		return ""
	case t != w.treated:
		var all strings.Builder
		for _, one := range t.Resource {
			all.WriteString(one.Name + "\x00" + one.Value + "\x00")
		}
		w.treated, w.set = t, all.String()
	}
	return w.set
}

// path returns the path of a cgroup, or "" if it is unknown. cached is the path
// that its resource was made from.
func (w *Workloads) path(id uint64, cached string) string {
	if id == rootID {
		return "/"
	}
	if path, ok := w.paths.get(id); ok {
		return path
	}
	w.Named(id, cached)
	return cached
}

func (w *Workloads) resource(v2, v1, executable string, t *process.Treatment) *Resource {
	path, in := enrich.Innermost(v2, v1)
	var attrs []attribute.KeyValue
	set := func(key attribute.Key, value string) {
		if value != "" {
			attrs = append(attrs, key.String(value))
		}
	}
	set(semconv.ContainerIDKey, in.ContainerID)
	set(semconv.ContainerNameKey, in.ContainerName)
	set(semconv.ContainerRuntimeNameKey, in.Runtime)
	set(semconv.K8SPodUIDKey, in.PodUID)
	set(semconv.AWSECSTaskIDKey, in.TaskID)
	set(attrPodQoS, in.QoS)
	set(attrSystemdUnit, in.Unit)
	set(attrSystemdUserUnit, in.UserUnit)
	set(attrSystemdSlice, in.Slice)
	switch w.strategy {
	case config.ServiceNameExecutable:
		set(semconv.ServiceNameKey, executable)
	case config.ServiceNameUnit:
		set(semconv.ServiceNameKey, enrich.ServiceName(path))
	}
	if t != nil {
		for _, one := range t.Resource {
			set(attribute.Key(one.Name), one.Value)
		}
	}
	if len(attrs) == 0 && path == "" {
		return w.host
	}
	return NewResource(w.base, attrs, path)
}

// AppendPaths appends the paths of cgroups, for RestorePaths.
func (w *Workloads) AppendPaths(b []byte) []byte {
	for id, path := range w.paths.all() {
		b = binary.AppendUvarint(b, id)
		b = binary.AppendUvarint(b, uint64(len(path)))
		b = append(b, path...)
	}
	return b
}

// RestorePaths takes over the paths that AppendPaths of another agent returned.
// After an error, those before the damage are restored.
func (w *Workloads) RestorePaths(b []byte) error {
	for len(b) > 0 {
		id, n := binary.Uvarint(b)
		size, m := binary.Uvarint(b[max(0, n):])
		if n <= 0 || m <= 0 || size > uint64(len(b)-n-m) {
			return errors.New("restore cgroup paths: truncated")
		}
		b = b[n+m:]
		w.Named(id, string(b[:size]))
		b = b[size:]
	}
	return nil
}
