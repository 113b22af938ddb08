package e2e

import (
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
)

// What a container runtime and a kubelet call a container and a pod.
const (
	dockerID = "3a5f0c7be1d24968a0b1c2d3e4f5061728394a5b6c7d8e9fa0b1c2d3e4f50617"
	podUID   = "6f1b1f0e-1c7e-4b57-9d3c-0a1b2c3d4e5f"
	podID    = "b7c81d2e3f405162738495a6b7c8d9eafb0c1d2e3f405162738495a6b7c8d9ea"
)

// TestContainerResource has processes in cgroups that are called as containers'
// and outside of them, and finds in one request which is which: on the resource,
// where a processor of the Collector has found it too.
func TestContainerResource(t *testing.T) {
	requireObservable(t)
	procspan := procspanBinary(t)
	inEachHierarchy(t, func(t *testing.T, hierarchy string) {
		for _, tc := range []struct {
			strategy, options    string
			outside, docker, pod string // service.name; "" is whatever the host has
		}{
			{"unit", "", "", dockerID[:12], podID[:12]},
			{"executable", "distribution: {procspan: {service_name: executable}}", "ls", "cat", "sort"},
			{"fixed", "resource: {attributes: [{name: service.name, value: e2e-fixed}]}", "e2e-fixed", "e2e-fixed", "e2e-fixed"},
		} {
			t.Run(tc.strategy, func(t *testing.T) {
				docker := newCgroup(t, hierarchy, "docker-"+dockerID+".scope")
				pod := newCgroup(t, hierarchy, "kubepods", "burstable", "pod"+podUID, podID)
				s := startSink(t)
				mustRun(t, "", procspan, "exec", "--config", s.config(t, atTheEnd, tc.options), "--", "sh", "-c", `ls /
					(echo 0 >"$1/cgroup.procs" && exec cat /dev/null)
					(echo 0 >"$2/cgroup.procs" && exec sort /dev/null)
					exit`, "sh", docker, pod)
				s.finish(t)
				if n := len(readLines(t, s.traces)); n != 1 {
					t.Errorf("the spans come in %d requests, want 1", n)
				}
				spans := s.spans(t)
				checkContainer(t, one(t, spans, "ls"), tc.outside, nil)
				checkContainer(t, one(t, spans, "cat"), tc.docker, attributes{
					"container.id": dockerID, "container.runtime.name": "docker"})
				checkContainer(t, one(t, spans, "sort"), tc.pod, attributes{
					"container.id": podID, "k8s.pod.uid": podUID, "procspan.k8s.pod.qos_class": "burstable"})
				checkSameResource(t, spans, s.records(t))
			})
		}
	})
}

// TestShortContainers has containers that are gone before procspan can look at
// them.
func TestShortContainers(t *testing.T) {
	requireObservable(t)
	procspan := procspanBinary(t)
	inEachHierarchy(t, func(t *testing.T, hierarchy string) {
		s := startSink(t)
		top := newCgroup(t, hierarchy)
		command := []string{procspan, "exec", "--config", s.config(t, atTheEnd), "--", "sh", "-c", `
			for dir; do
				mkdir "$dir" && (echo 0 >"$dir/cgroup.procs" && exec sleep 0.005)
				until rmdir "$dir" 2>/dev/null; do :; done
			done`, "sh"}
		var ids []string
		for n := range 20 {
			id := fmt.Sprintf("%064x", n+1)
			dir := filepath.Join(top, "docker-"+id+".scope")
			removeCgroup(t, dir)
			ids, command = append(ids, id), append(command, dir)
		}
		mustRun(t, "", command...)
		s.finish(t)

		spans := s.spans(t)
		checkSameResource(t, spans, s.records(t))
		for _, sleep := range named(spans, "sleep") { // one after the other
			if len(ids) == 0 {
				t.Fatalf("%v: there are more than were started", sleep)
			}
			checkContainer(t, sleep, ids[0][:12], attributes{"container.id": ids[0]})
			ids = ids[1:]
		}
		if len(ids) > 0 {
			t.Errorf("of %d containers there is no span", len(ids))
		}
	})
}

// TestOlderContainer has a container that is older than procspan, which has no
// event of it but its end.
func TestOlderContainer(t *testing.T) {
	requireObservable(t)
	inEachHierarchy(t, func(t *testing.T, hierarchy string) {
		older := startHeld(t, "sh", "-c", `echo 0 >"$1/cgroup.procs" && exec cat`,
			"sh", newCgroup(t, hierarchy, "docker-"+dockerID+".scope"))
		older.await(t, "cat")
		s := startSink(t)
		daemon := startRun(t, s.config(t, atOnce))
		ended := older.end(t, "cat")
		if status := daemon.stop(); status != "exit status 0" {
			t.Errorf("procspan run ends with %s", status)
		}
		s.finish(t)
		checkContainer(t, ended.find(t, s.spans(t)), dockerID[:12], attributes{"container.id": dockerID})
	})
}

// checkContainer checks what the span's resource says about where it ran: that
// of the host, and of the container where want tells of one.
func checkContainer(t *testing.T, s *span, service string, want attributes) {
	t.Helper()
	if s == nil {
		return
	}
	if service == "" {
		service, _ = s.Resource["service.name"].(string)
	}
	checkResource(t, s, service)
	if want == nil {
		// The test itself may be in a container.
		if id := s.Resource["container.id"]; id == dockerID || id == podID || s.Resource[lookedUp] != id {
			t.Errorf("%v: container.id is %v, the collector found %v, want it outside", s, id, s.Resource[lookedUp])
		}
		return
	}
	if got := s.Resource[lookedUp]; got != want["container.id"] {
		t.Errorf("%v: the collector found %v, want %v", s, got, want["container.id"])
	}
	for key, value := range want {
		if s.Resource[key] != value {
			t.Errorf("%v: resource attribute %s is %#v, want %#v", s, key, s.Resource[key], value)
		}
	}
}

// checkSameResource checks that the records of a process have the resource of
// its span.
func checkSameResource(t *testing.T, spans []*span, records []*record) {
	t.Helper()
	byID := spansByID(t, spans)
	for _, r := range records {
		if s := byID[r.SpanID]; s == nil || !reflect.DeepEqual(r.Resource, s.Resource) {
			t.Errorf("%v has the resource %v, another than %v", r, r.Resource, s)
		}
	}
	if want := 2 * len(spans); len(records) != want { // an exec and an exit
		t.Errorf("there are %d log records of %d processes, want %d", len(records), len(spans), want)
	}
}

// spansByID returns spans by their ids, which must differ.
func spansByID(t *testing.T, spans []*span) map[string]*span {
	t.Helper()
	byID := make(map[string]*span, len(spans))
	for _, s := range spans {
		if twice := byID[s.SpanID]; twice != nil {
			t.Errorf("two spans have one id: %v and %v", twice, s)
		}
		byID[s.SpanID] = s
	}
	return byID
}

// named returns the spans of this name.
func named(spans []*span, name string) (found []*span) {
	for _, s := range spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// one returns the one span of this name, or nil where there is another number.
func one(t *testing.T, spans []*span, name string) *span {
	t.Helper()
	found := named(spans, name)
	if len(found) != 1 {
		t.Errorf("there are %d spans called %s, want 1\n%s", len(found), name, describe(spans))
		return nil
	}
	return found[0]
}
