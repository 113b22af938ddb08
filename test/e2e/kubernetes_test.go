package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
)

// The files that a user of Kubernetes takes.
const (
	k8sAttributes = "../../deploy/helm/k8s-attributes.yaml"
	collectorRBAC = "../../deploy/kubernetes/collector-rbac.yaml"
)

// byKubeconfig is all that a test changes in the configuration: where the API server is.
const byKubeconfig = `
processors:
  k8s_attributes: {auth_type: kubeConfig}
  k8s_attributes/static: {auth_type: kubeConfig}
`

// byConnection adds the association that the configuration must not have.
const byConnection = byKubeconfig + `
  k8s_attributes/connection:
    auth_type: kubeConfig
    wait_for_metadata: true
    wait_for_metadata_timeout: 1m
    extract: {metadata: [k8s.namespace.name, k8s.pod.name]}
    pod_association:
      - sources: [{from: resource_attribute, name: k8s.pod.uid}]
      - sources: [{from: resource_attribute, name: container.id}]
      - sources: [{from: connection}]
service: {pipelines: {traces: {processors: [k8s_attributes, k8s_attributes/static, k8s_attributes/connection]}}}
`

// TestPodNames runs the Collector with deploy/helm/k8s-attributes.yaml: procspan traces
// processes in the cgroups of pods and one of the host, and the Collector names the pods.
func TestPodNames(t *testing.T) {
	requireObservable(t)
	c := newCluster()
	api := startAPIServer(t, false, c.web, c.report, c.static, c.procspan)
	s := startNamingSink(t, api, byKubeconfig)
	node := startNode(t, s, c)

	node.run("ls", "")
	node.run("cat", c.webApp)
	node.run("sort", c.webProxy)
	node.run("head", c.webEarlier)
	node.run("wc", c.reportMain)
	node.run("od", c.proxyMain)
	node.run("tac", c.procspanMain)

	// The watch has the end of one pod before the start of another; once the Collector
	// names the second, it knows of both.
	api.remove(c.report)
	api.add(c.late)
	node.awaitNamed(t, "tail", c.lateMain)
	node.run("uniq", c.reportMain)
	spans := node.end(t)

	checkNames(t, one(t, spans, "ls"), attributes{})
	web := attributes{"k8s.namespace.name": "shop", "k8s.pod.name": "web-6f7d9c5b8-x2x4q", "k8s.deployment.name": "web"}
	checkNames(t, one(t, spans, "head"), web) // of a container that the pod no longer has
	checkNames(t, one(t, spans, "cat"), with(web, attributes{"k8s.container.name": "app",
		"container.image.name": "registry.example/shop/web", "container.image.tags": "[1.4]"}))
	checkNames(t, one(t, spans, "sort"), with(web, attributes{"k8s.container.name": "proxy",
		"container.image.name": "envoyproxy/envoy", "container.image.tags": "[v1.31]"}))
	report := attributes{"k8s.namespace.name": "batch", "k8s.pod.name": "report-29384760-9k2fw",
		"k8s.job.name": "report-29384760", "k8s.cronjob.name": "report", "k8s.container.name": "main",
		"container.image.name": "registry.example/report", "container.image.tags": "[latest]"}
	checkNames(t, one(t, spans, "wc"), report)
	checkNames(t, one(t, spans, "uniq"), report) // which the API server no longer has
	checkNames(t, one(t, spans, "od"), attributes{"k8s.namespace.name": "kube-system", "k8s.pod.name": "kube-proxy-node-1",
		"k8s.container.name": "kube-proxy", "container.image.name": "registry.example/kube-proxy", "container.image.tags": "[v1.34.1]"})
	checkNames(t, one(t, spans, "tac"), attributes{"k8s.namespace.name": "observability", "k8s.pod.name": "procspan-7q8zt",
		"k8s.daemonset.name": "procspan", "k8s.container.name": "procspan",
		"container.image.name": "ghcr.io/procspan/procspan", "container.image.tags": "[0.1.0]"})
	for _, s := range spans {
		if name := s.Resource["k8s.node.name"]; name != "node-1" {
			t.Errorf("%v: k8s.node.name is %v, want what procspan has written", s, name)
		}
	}
	if got, want := api.permissions(), clusterRole(t); !maps.Equal(got, want) {
		t.Errorf("the Collector asks for %v, and %s allows %v", got, collectorRBAC, want)
	}
}

// TestPodNamesByConnection adds an association by connection, which names a process of
// the host after procspan's pod: TestPodNames would detect it.
func TestPodNamesByConnection(t *testing.T) {
	requireObservable(t)
	c := newCluster()
	api := startAPIServer(t, true, c.web, c.static, c.procspan)
	s := startNamingSink(t, api, byConnection)
	node := startNode(t, s, c)
	node.run("ls", "")
	node.run("cat", c.webApp)
	node.run("uniq", c.reportMain) // its pod was gone before the Collector came
	spans := node.end(t)

	for name, pod := range map[string]any{"ls": "procspan-7q8zt", "cat": "web-6f7d9c5b8-x2x4q", "uniq": nil} {
		if s := one(t, spans, name); s != nil && s.Resource["k8s.pod.name"] != pod {
			t.Errorf("%v: k8s.pod.name is %v, want %v", s, s.Resource["k8s.pod.name"], pod)
		}
	}
	for asked := range api.permissions() {
		if !clusterRole(t)[asked] {
			t.Errorf("the Collector asks for %v, which %s does not allow", asked, collectorRBAC)
		}
	}
}

// cluster is what the API server has, and the containers by their ids.
type cluster struct {
	web, report, static, procspan, late           pod
	webApp, webProxy, webEarlier                  string
	reportMain, proxyMain, procspanMain, lateMain string
	// groups are the cgroups of containers, as kubelets and runtimes call them.
	groups map[string][]string
}

func newCluster() *cluster {
	id := func(n int) string { return fmt.Sprintf("%064x", 0xc0de<<16+n) }
	c := &cluster{
		webApp: id(1), webProxy: id(2), webEarlier: id(3), reportMain: id(4), proxyMain: id(5), procspanMain: id(6), lateMain: id(7),
	}
	began := time.Unix(29384760*60, 0).UTC().Format(time.RFC3339) // the minute in a Job's name
	running := func(namespace, name, uid, ip string, of owner, containers ...string) pod {
		p := pod{
			Metadata: metadata{Name: name, Namespace: namespace, UID: uid, CreationTimestamp: began, OwnerReferences: []owner{of}},
			Spec:     podSpec{NodeName: "node-1"},
			Status:   podStatus{Phase: "Running", PodIP: ip},
		}
		for i := 0; i < len(containers); i += 3 {
			p.Spec.Containers = append(p.Spec.Containers, containerSpec{containers[i], containers[i+1]})
			p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, containerStatus{containers[i], "containerd://" + containers[i+2]})
		}
		return p
	}
	const webUID, reportUID, lateUID = "6f1b1f0e-1c7e-4b57-9d3c-0a1b2c3d4e5f", "0b9d7c1a-52f4-4c1e-8a37-5d2e6f708192", "1c8e6d2b-63a5-4d2f-9b48-6e3f708192a3"
	const procspanUID, mirrorUID, staticHash = "2d9f7e3c-74b6-4e3a-8c59-7f408192a3b4", "3ea08f4d-85c7-4f4b-9d6a-805192a3b4c5", "4fb1905e96d8405c8e7b916203a4b5c6"
	c.web = running("shop", "web-6f7d9c5b8-x2x4q", webUID, "10.0.0.7", owner{"apps/v1", "ReplicaSet", "web-6f7d9c5b8", "r", true},
		"app", "registry.example/shop/web:1.4", c.webApp, "proxy", "envoyproxy/envoy:v1.31", c.webProxy)
	c.web.Metadata.Labels = map[string]string{"pod-template-hash": "6f7d9c5b8"}
	c.report = running("batch", "report-29384760-9k2fw", reportUID, "10.0.0.8", owner{"batch/v1", "Job", "report-29384760", "j", true},
		"main", "registry.example/report", c.reportMain)
	c.late = running("batch", "late", lateUID, "10.0.0.9", owner{"batch/v1", "Job", "late", "l", true}, "main", "late", c.lateMain)
	// The kubelet calls a static pod's cgroup after the hash of its manifest, and the API
	// server has a mirror of the pod.
	c.static = running("kube-system", "kube-proxy-node-1", mirrorUID, "192.0.2.1", owner{"v1", "Node", "node-1", "n", true},
		"kube-proxy", "registry.example/kube-proxy:v1.34.1", c.proxyMain)
	c.static.Spec.HostNetwork = true
	c.static.Metadata.Annotations = map[string]string{"kubernetes.io/config.hash": staticHash, "kubernetes.io/config.mirror": staticHash}
	// procspan's own pod has the address that its connections come from.
	c.procspan = running("observability", "procspan-7q8zt", procspanUID, "127.0.0.1", owner{"apps/v1", "DaemonSet", "procspan", "d", true},
		"procspan", "ghcr.io/procspan/procspan:0.1.0", c.procspanMain)

	systemd := func(class, uid, runtime, id string) []string { // the driver that most have
		pod := fmt.Sprintf("kubepods-%s-pod%s.slice", class, strings.ReplaceAll(uid, "-", "_"))
		return []string{"kubepods.slice", "kubepods-" + class + ".slice", pod, runtime + "-" + id + ".scope"}
	}
	c.groups = map[string][]string{
		c.webApp:       systemd("burstable", webUID, "cri-containerd", c.webApp),
		c.webProxy:     systemd("burstable", webUID, "cri-containerd", c.webProxy),
		c.webEarlier:   systemd("burstable", webUID, "cri-containerd", c.webEarlier),
		c.reportMain:   systemd("besteffort", reportUID, "crio", c.reportMain),
		c.proxyMain:    {"kubepods", "burstable", "pod" + staticHash, c.proxyMain},
		c.procspanMain: {"kubepods", "pod" + procspanUID, c.procspanMain},
		c.lateMain:     {"kubepods", "besteffort", "pod" + lateUID, c.lateMain},
	}
	return c
}

// startNamingSink starts a sink that names pods, by the configuration of the chart and
// an overlay. It returns when the sink knows the pods of the API server.
func startNamingSink(t *testing.T, api *apiServer, overlay string) *sink {
	t.Helper()
	s := newSink(t, overGRPC)
	withFreePorts(t, 1, func(ports []int) (err error) {
		s.collector, err = collectorBy(t, ports[0], "env", "KUBECONFIG="+api.kubeconfig(t), collectorBinary(t),
			"--config", writeFile(t, "collector.yaml", s.collectorConfig(ports[0])),
			"--config", absolute(t, k8sAttributes), "--config", writeFile(t, "overlay.yaml", overlay))
		return err
	})
	return s
}

// absolute returns the absolute form of a path, for a server, which runs elsewhere.
func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// worker runs processes in the cgroups of containers, and procspan traces them.
type worker struct {
	*held
	sink *sink
	dirs map[string]string // of containers
}

// startNode starts procspan exec with a shell that runs what it reads.
func startNode(t *testing.T, s *sink, c *cluster) *worker {
	t.Helper()
	n := &worker{sink: s, dirs: map[string]string{}}
	for id, names := range c.groups {
		n.dirs[id] = newCgroup(t, hierarchies(t)[0], names...)
	}
	log := writeFile(t, "procspan.log", "")
	t.Cleanup(func() {
		if t.Failed() {
			text, err := os.ReadFile(log)
			t.Logf("log of procspan: %v\n%s", err, text)
		}
	})
	config := s.config(t, atOnce, "resource: {attributes: [{name: k8s.node.name, value: node-1}]}") // as the chart does
	n.held = startHeld(t, "sh", "-c", `exec "$@" 2>"$0"`, log, procspanBinary(t), "exec", "--config", config, "--", "sh", "-c", `
		while read -r program dir; do
			( { test -z "$dir" || echo 0 >"$dir/cgroup.procs"; } && exec "$program" /dev/null )
		done`)
	return n
}

// run runs a program in a container, or outside of all.
func (n *worker) run(program, container string) {
	fmt.Fprintln(n.input, program, n.dirs[container]) // a shell that is gone has run nothing, and a span is missing
}

// awaitNamed runs a program in a container until the Collector knows the pod.
func (n *worker) awaitNamed(t *testing.T, program, container string) {
	t.Helper()
	err := poll(t.Context(), startTimeout, func(context.Context) error {
		for _, s := range named(n.sink.spans(t), program) {
			if s.Resource["k8s.pod.name"] != nil {
				return nil
			}
		}
		n.run(program, container)
		return errors.New("the pod of " + program + " has no name")
	})
	if err != nil {
		t.Fatal(err)
	}
}

// end returns the spans of everything that has run.
func (n *worker) end(t *testing.T) []*span {
	t.Helper()
	n.held.end(t, "procspan exec")
	n.sink.finish(t)
	return n.sink.spans(t)
}

// checkNames checks all that the Collector has added to a span's resource.
func checkNames(t *testing.T, s *span, want attributes) {
	t.Helper()
	if s == nil {
		return
	}
	got := attributes{}
	for key, value := range s.Resource {
		switch {
		case key == "k8s.pod.uid", key == "k8s.node.name": // procspan's own
		case strings.HasPrefix(key, "k8s."):
			got[key] = value
		case strings.HasPrefix(key, "container.image."):
			got[key] = fmt.Sprint(value)
			if text, ok := value.(string); ok {
				got[key] = text
			}
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v: the Collector has added %v, want %v", s, got, want)
	}
}

// with returns both.
func with(a, b attributes) attributes {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// clusterRole returns what the role for the Collector allows.
func clusterRole(t *testing.T) map[permission]bool {
	t.Helper()
	text, err := os.ReadFile(collectorRBAC)
	if err != nil {
		t.Fatal(err)
	}
	var role struct { // the first document
		Kind  string
		Rules []struct {
			APIGroups []string `yaml:"apiGroups"`
			Resources []string
			Verbs     []string
		}
	}
	if err := yaml.Unmarshal(text, &role); err != nil || role.Kind != "ClusterRole" {
		t.Fatalf("%s has no ClusterRole: %v", collectorRBAC, err)
	}
	allowed := map[permission]bool{}
	for _, rule := range role.Rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					allowed[permission{group, resource, verb}] = true
				}
			}
		}
	}
	return allowed
}
