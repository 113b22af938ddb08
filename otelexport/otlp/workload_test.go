package otlp

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/process"
)

const containerID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func testWorkloads(strategy config.ServiceName) *Workloads {
	return NewWorkloads(strategy, resource.NewWithAttributes(semconv.SchemaURL,
		semconv.ServiceName("procspan"), semconv.ServiceVersion("1.2.3"), attribute.String("host.name", "h")))
}

func resourceAttributes(t *testing.T, r *Resource) map[string]any {
	t.Helper()
	return values(decodeResource(t, r).Resource.Attributes)
}

func TestWorkloadStrategies(t *testing.T) {
	docker := "/system.slice/docker-" + containerID + ".scope"
	image := &process.Image{Executable: "/usr/sbin/nginx (deleted)", Deleted: true}
	for _, tc := range []struct {
		name     string
		strategy config.ServiceName
		path     string
		service  any
		want     map[string]any // of what the path says
	}{
		{"fixed", config.ServiceNameFixed, "/system.slice/nginx.service", "procspan",
			map[string]any{"procspan.systemd.unit": "nginx.service", "procspan.systemd.slice": "system.slice"}},
		{"unit", config.ServiceNameUnit, "/system.slice/nginx.service", "nginx",
			map[string]any{"procspan.systemd.unit": "nginx.service"}},
		{"unit, a container", config.ServiceNameUnit, docker, containerID[:12],
			map[string]any{"container.id": containerID, "container.runtime.name": "docker"}},
		{"unit, a user's service", config.ServiceNameUnit, "/user.slice/user-1000.slice/user@1000.service/app.slice/emacs.service", "procspan",
			map[string]any{"procspan.systemd.user_unit": "emacs.service"}},
		{"unit, a user manager", config.ServiceNameUnit, "/user.slice/user-1000.slice/user@1000.service/init.scope", "procspan", nil},
		{"unit, a session", config.ServiceNameUnit, "/user.slice/user-1000.slice/session-3.scope", "procspan",
			map[string]any{"procspan.systemd.unit": "session-3.scope"}},
		{"executable", config.ServiceNameExecutable, docker, "nginx", map[string]any{"container.id": containerID}},
		{"a pod", config.ServiceNameUnit,
			"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0c0d5b0a_1111_2222_3333_444455556666.slice/cri-containerd-" + containerID + ".scope",
			containerID[:12], map[string]any{"k8s.pod.uid": "0c0d5b0a-1111-2222-3333-444455556666", "procspan.k8s.pod.qos_class": "burstable"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := testWorkloads(tc.strategy)
			w.Named(7, tc.path)
			r := w.Of(process.Cgroup{V2: 7, V1: 7}, image, nil)
			got := resourceAttributes(t, r)
			if got["service.name"] != tc.service || got["host.name"] != "h" || r.cgroup != tc.path {
				t.Errorf("got %v of %s, want service.name %v", got, r.cgroup, tc.service)
			}
			if _, ok := got["service.version"]; ok != (tc.service == "procspan") {
				t.Errorf("service.version of procspan on another service: %v", got)
			}
			for key, want := range tc.want {
				if got[key] != want {
					t.Errorf("%s: got %v, want %v", key, got[key], want)
				}
			}
			if w.Of(process.Cgroup{V2: 7, V1: 7}, image, nil) != r {
				t.Error("the second process of the workload has another resource")
			}
		})
	}
}

// What is in no cgroup of its own belongs to the host.
func TestWorkloadOfTheHost(t *testing.T) {
	w := testWorkloads(config.ServiceNameFixed)
	nowhere := w.Of(process.Cgroup{}, &process.Image{}, nil)
	root := w.Of(process.Cgroup{V2: rootID, V1: rootID}, &process.Image{}, nil)
	if nowhere != w.host || root.cgroup != "/" {
		t.Errorf("got %+v and %+v, want the host without and with the root cgroup", nowhere, root)
	}
	w.Named(rootID, "/other")
	w.Named(0, "/other")
	w.Named(5, "")
	if got := w.AppendPaths(nil); len(got) != 0 {
		t.Errorf("paths that say nothing are kept: %q", got)
	}
}

// BPF reports a cgroup in use only once, so its path must outlive any number of
// newer ones: with a cached resource, without one, and after a restart.
func TestPathOfABusyCgroupIsKept(t *testing.T) {
	for _, strategy := range []config.ServiceName{config.ServiceNameUnit, config.ServiceNameExecutable} {
		w := testWorkloads(strategy)
		busy := process.Cgroup{V2: 7, V1: 7}
		w.Named(7, "/system.slice/nginx.service")
		for i := range uint64(4 * maxWorkloads) {
			w.Named(100+i, fmt.Sprint("/job", i))
			w.Of(process.Cgroup{V2: 100 + i, V1: 100 + i}, &process.Image{}, nil)
			w.Of(busy, &process.Image{Executable: "/nginx"}, nil)
		}
		restarted := testWorkloads(strategy)
		if err := restarted.RestorePaths(w.AppendPaths(nil)); err != nil {
			t.Fatal(err)
		}
		for _, w := range []*Workloads{w, restarted} {
			got := resourceAttributes(t, w.Of(busy, &process.Image{Executable: "/worker"}, nil))
			if got["procspan.systemd.unit"] != "nginx.service" {
				t.Errorf("%s: the busy service has become %v", strategy, got)
			}
		}
	}
}

// A resource that outlives its paths gives them back.
func TestPathIsKeptByItsResource(t *testing.T) {
	w := testWorkloads(config.ServiceNameFixed)
	in := process.Cgroup{V2: 7, V1: 8}
	w.Named(7, "/a")
	w.Named(8, "/b")
	r := w.Of(in, &process.Image{}, nil)
	for i := range uint64(2 * maxWorkloads) {
		w.Named(100+i, fmt.Sprint("/job", i))
	}
	if got := w.Of(in, &process.Image{}, nil); got != r {
		t.Errorf("got another resource, %+v", got)
	}
	if v2, v1 := w.path(7, ""), w.path(8, ""); v2 != "/a" || v1 != "/b" {
		t.Errorf("got the paths %q and %q", v2, v1)
	}
}

// A cgroup whose path is unknown shares one resource among its processes, and
// gets a better one when the path comes.
func TestLatePath(t *testing.T) {
	for _, tc := range []struct {
		name  string
		in    process.Cgroup
		named uint64 // at first; 0 is none
		late  uint64
	}{
		{"neither known", process.Cgroup{V2: 7, V1: 7}, 0, 7},
		{"v2 too deep", process.Cgroup{V2: 7, V1: 8}, 8, 7},
		{"v1 too deep", process.Cgroup{V2: 7, V1: 8}, 7, 8},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := testWorkloads(config.ServiceNameFixed)
			w.Named(tc.named, "/user.slice")
			first := w.Of(tc.in, &process.Image{}, nil)
			if w.Of(tc.in, &process.Image{}, nil) != first {
				t.Error("each process has a resource of its own")
			}
			w.Named(tc.late, "/system.slice/nginx.service")
			late := w.Of(tc.in, &process.Image{}, nil)
			if got := resourceAttributes(t, late); got["procspan.systemd.unit"] != "nginx.service" {
				t.Errorf("after the path came: got %v", got)
			}
			if w.Of(tc.in, &process.Image{}, nil) != late {
				t.Error("each process has a resource of its own after the path came")
			}
		})
	}
}

// Restored paths are evicted in the order in which they were used.
func TestPathsKeepTheirOrder(t *testing.T) {
	w := testWorkloads(config.ServiceNameFixed)
	for i := range uint64(maxWorkloads + 100) {
		w.Named(2+i, fmt.Sprint("/", 2+i)) // the last 100 are the newest generation
	}
	restored := testWorkloads(config.ServiceNameFixed)
	if err := restored.RestorePaths(w.AppendPaths(nil)); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(maxWorkloads - 100) {
		restored.Named(1<<30+i, "/new")
	}
	restored.Named(1<<31, "/new") // begins a generation, and evicts the oldest
	for i := range uint64(100) {
		if id := maxWorkloads + 2 + i; restored.path(id, "") != fmt.Sprint("/", id) {
			t.Fatalf("%d, one of the newest, is evicted before an older one", id)
		}
	}
}

func TestRestorePathsDamaged(t *testing.T) {
	w := testWorkloads(config.ServiceNameFixed)
	w.Named(7, "/a/path")
	saved := w.AppendPaths(nil)
	for n := 1; n < len(saved); n++ {
		if err := testWorkloads(config.ServiceNameFixed).RestorePaths(saved[:n]); err == nil {
			t.Errorf("%d of %d bytes are accepted", n, len(saved))
		}
	}
	again := testWorkloads(config.ServiceNameFixed)
	if err := again.RestorePaths(append(saved, 0xff)); err == nil || again.path(7, "") != "/a/path" {
		t.Errorf("got %v and the path %q, want an error and what came before the damage", err, again.path(7, ""))
	}
}

// A user who creates cgroups with long names does not fill the memory.
func TestWorkloadsAreBounded(t *testing.T) {
	w := testWorkloads(config.ServiceNameFixed)
	long := strings.Repeat("x", 4000)
	for i := range uint64(3 * maxWorkloads) {
		w.Named(2+i, "/"+long)
		w.Of(process.Cgroup{V2: 2 + i}, &process.Image{}, nil)
	}
	bytes := 0
	for _, m := range []map[uint64]sized[string]{w.paths.old, w.paths.young} {
		for path := range maps.Values(m) {
			bytes += len(path.value)
		}
	}
	for _, m := range []map[workloadKey]sized[workload]{w.known.old, w.known.young} {
		for of := range maps.Values(m) {
			bytes += len(of.value.resource.Wire)
		}
	}
	if most := 4*maxWorkloadBytes + 4*len(long); bytes > most {
		t.Errorf("%d bytes are kept, want %d at most", bytes, most)
	}
}
