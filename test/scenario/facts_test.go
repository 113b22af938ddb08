package scenario

import (
	"os"
	"strings"
	"testing"
)

// facts lists the scenarios of what processes are.
func facts(c cgroup) []told {
	id := strings.Repeat("0123456789abcdef", 4)
	const pod = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod00000000_1111_2222_3333_444444444444.slice"
	docker, deep := "/docker-"+id+".scope", pod+"/cri-containerd-"+id+".scope"
	child := func(name string) []want { return []want{{label: "child", name: name}} }
	box := []want{{label: "child", name: "contained", root: true}}
	leader := want{label: "leader", name: "leader", waits: []string{"member"}, root: true}
	return []told{
		{scenario: "credentials", want: child("other"), check: has("child", map[string]any{
			"process.real_user.id": int64(11), "process.user.id": int64(12), "process.saved_user.id": nil,
			"procspan.real_user.group.id": int64(110), "procspan.user.group.id": int64(120),
		})},
		{scenario: "change of user", want: []want{{label: "child", name: "second", execs: []string{"second"}}}, check: has("child", map[string]any{
			"process.real_user.id": int64(21), "process.user.id": int64(22),
		})},
		{scenario: "job", want: []want{leader, {label: "member", name: "member", root: true}}, check: interactive(true)},
		{scenario: "job unattended", want: []want{leader, {label: "member", name: "member", under: "leader"}}, check: interactive(false)},
		{scenario: "container", args: append([]string{docker}, c.dirs...), want: box, check: contained(c.path+docker, "docker", nil)},
		{scenario: "brief container", args: append([]string{deep}, c.dirs...), want: box,
			check: contained(c.path+deep, "containerd", "00000000-1111-2222-3333-444444444444")},
	}
}

// has checks attributes of a process; nil is one that is absent.
func has(label string, attrs map[string]any) func(*testing.T, map[string]Span) {
	return func(t *testing.T, spans map[string]Span) {
		for key, want := range attrs {
			if got := spans[label].Attr(key); got != want {
				t.Errorf("%s: %s is %v, want %v", label, key, got, want)
			}
		}
	}
}

// allApart checks that the process has no namespace of the host's.
func allApart(t *testing.T, spans map[string]Span) {
	for _, name := range kindsOfNamespaces {
		if _, err := os.Stat("/proc/self/ns/" + name); err != nil {
			t.Logf("this kernel has no namespaces of the kind %s: %v", name, err)
			continue
		}
		if spans["child"].Attr("procspan.namespace."+name) == nil {
			t.Errorf("there is no procspan.namespace.%s", name)
		}
	}
}

// interactive checks the groups of a job by what its scenario does.
func interactive(terminal bool) func(*testing.T, map[string]Span) {
	return func(t *testing.T, spans map[string]Span) {
		leader := int64(spans["leader"].PID)
		for label, group := range map[string]int64{"leader": leader, "member": int64(spans["member"].PID)} {
			has(label, map[string]any{
				"process.session_leader.pid": leader, "process.group_leader.pid": group, "process.interactive": terminal,
			})(t, spans)
		}
	}
}

// contained checks what the name of a cgroup tells.
func contained(path, runtime string, pod any) func(*testing.T, map[string]Span) {
	return func(t *testing.T, spans map[string]Span) {
		id := strings.TrimSuffix(path[len(path)-len(".scope")-64:], ".scope")
		child := spans["child"]
		has("child", map[string]any{"process.linux.cgroup": path})(t, spans)
		for key, want := range map[string]any{
			"container.id": id, "container.runtime.name": runtime, "service.name": id[:12], "k8s.pod.uid": pod,
		} {
			if got := child.ResourceAttr(key); got != want {
				t.Errorf("%s of the resource is %v, want %v", key, got, want)
			}
		}
		if got := spans["scenario"].ResourceAttr("container.id"); got == id {
			t.Error("the scenario is in the container too")
		}
	}
}
