// Package helm tests the Helm chart: what it renders, with its defaults and with
// every value that it has, and that the configuration in it is valid.
package helm

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the manifests")

// render renders the chart as helm template does.
func render(t *testing.T, values map[string]any) (string, error) {
	t.Helper()
	chart, err := loader.Load("procspan")
	if err != nil {
		t.Fatal(err)
	}
	install := action.NewInstall(&action.Configuration{})
	install.DryRun, install.ClientOnly, install.Replace = true, true, true
	install.ReleaseName, install.Namespace = "procspan", "observability"
	install.KubeVersion = &chartutil.KubeVersion{Version: "v1.31.0", Major: "1", Minor: "31"}
	release, err := install.Run(chart, values)
	if err != nil {
		return "", err
	}
	return release.Manifest, nil
}

func mustRender(t *testing.T, values map[string]any) string {
	t.Helper()
	manifest, err := render(t, values)
	if err != nil {
		t.Fatal(err)
	}
	return manifest
}

// TestManifests holds the committed manifests against the chart.
func TestManifests(t *testing.T) {
	const path = "../kubernetes/procspan.yaml"
	got := "# What the Helm chart in deploy/helm renders with its defaults, for kubectl apply.\n" + mustRender(t, nil)
	if *update {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what the chart renders: go test ./helm -update writes it", path)
	}
}

// objects decodes a manifest strictly: an unknown field is an error.
func objects(t *testing.T, manifest string) (daemonSet apps.DaemonSet, config core.ConfigMap, kinds []string) {
	t.Helper()
	for document := range strings.SplitSeq(manifest, "\n---\n") {
		var kind struct {
			Kind string `json:"kind"`
		}
		if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if kind.Kind == "" {
			continue
		}
		kinds = append(kinds, kind.Kind)
		var into any
		switch kind.Kind {
		case "DaemonSet":
			into = &daemonSet
		case "ConfigMap":
			into = &config
		case "Service":
			into = &core.Service{}
		case "ServiceAccount":
			into = &core.ServiceAccount{}
		case "ResourceQuota":
			into = &core.ResourceQuota{}
		case "ServiceMonitor", "Secret", "SecurityContextConstraints":
			continue
		default:
			t.Fatalf("an object of kind %s", kind.Kind)
		}
		if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
			t.Errorf("%s: %v", kind.Kind, err)
		}
	}
	return daemonSet, config, kinds
}

// check has procspan itself check a configuration, in the pod's environment.
func check(t *testing.T, daemonSet apps.DaemonSet, config core.ConfigMap) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "procspan.yaml")
	if err := os.WriteFile(file, []byte(config.Data["procspan.yaml"]), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", "./cmd/procspan", "config", "check", file)
	cmd.Dir = "../.."
	cmd.Env = os.Environ()
	for _, env := range daemonSet.Spec.Template.Spec.Containers[0].Env {
		value := "x" // of the node, or a secret
		if env.ValueFrom == nil {
			value = strings.ReplaceAll(env.Value, "$(HOST_IP)", "192.0.2.1")
		}
		cmd.Env = append(cmd.Env, env.Name+"="+value)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("procspan refuses the configuration: %v\n%s\n%s", err, out, config.Data["procspan.yaml"])
	}
}

func TestDefaults(t *testing.T) {
	daemonSet, config, kinds := objects(t, mustRender(t, nil))
	if want := []string{"ServiceAccount", "ConfigMap", "Service", "DaemonSet"}; !slices.Equal(kinds, want) {
		t.Errorf("objects are %q, want %q", kinds, want)
	}
	check(t, daemonSet, config)
	pod := daemonSet.Spec.Template.Spec
	security := pod.Containers[0].SecurityContext
	switch {
	case *security.Privileged:
		t.Error("the container is privileged")
	case *security.AllowPrivilegeEscalation:
		t.Error("the container may gain privileges")
	case !*security.ReadOnlyRootFilesystem:
		t.Error("the container may write to its root")
	case !slices.Equal(security.Capabilities.Drop, []core.Capability{"ALL"}):
		t.Errorf("dropped capabilities are %v, want ALL", security.Capabilities.Drop)
	case !slices.Equal(security.Capabilities.Add, []core.Capability{"BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH", "SYS_RESOURCE"}):
		t.Errorf("capabilities are %v", security.Capabilities.Add)
	case !pod.HostPID:
		t.Error("the pod is in a PID namespace of its own")
	case *pod.AutomountServiceAccountToken:
		t.Error("the pod has a token of the API server, and needs none")
	}
	for _, volume := range []string{"bpffs", "state", "delivery"} { // persist is on
		if !slices.ContainsFunc(pod.Volumes, func(v core.Volume) bool { return v.Name == volume && v.HostPath != nil }) {
			t.Errorf("there is no volume %s of the node", volume)
		}
	}
}

// TestValues sets what a chart's users ask for, and finds it in what is rendered.
func TestValues(t *testing.T) {
	values := map[string]any{
		"image":             map[string]any{"registry": "registry.example", "digest": "sha256:" + strings.Repeat("a", 64)},
		"namespaceOverride": "tracing",
		"fullnameOverride":  "tracer",
		"output": map[string]any{
			"endpoint": "https://otlp.example:443", "logs": true, "compression": "zstd",
			"headers": []any{map[string]any{"name": "authorization", "secret": map[string]any{"name": "otlp", "key": "token"}}},
		},
		"resource":          map[string]any{"k8s.cluster.name": "production"},
		"procspan":          map[string]any{"filter": map[string]any{"min_duration": "10ms"}},
		"persist":           map[string]any{"enabled": false},
		"serviceMonitor":    map[string]any{"enabled": true, "labels": map[string]any{"release": "prometheus"}},
		"serviceAccount":    map[string]any{"create": false, "name": "given"},
		"capabilities":      []any{"BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH"},
		"seccompProfile":    map[string]any{"type": "RuntimeDefault"},
		"seLinuxOptions":    map[string]any{"type": "spc_t"},
		"hostNetwork":       true,
		"affinity":          map[string]any{"nodeAffinity": map[string]any{}},
		"podLabels":         map[string]any{"team": "build"},
		"podAnnotations":    map[string]any{"note": "pods"},
		"daemonSetLabels":   map[string]any{"tier": "node"},
		"imagePullSecrets":  []any{map[string]any{"name": "pull"}},
		"extraEnv":          []any{map[string]any{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}},
		"extraVolumes":      []any{map[string]any{"name": "ca", "secret": map[string]any{"secretName": "ca"}}},
		"extraVolumeMounts": []any{map[string]any{"name": "ca", "mountPath": "/ca"}},
		"extraObjects":      []any{map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "{{ .Release.Name }}-extra"}}},
	}
	manifest := mustRender(t, values)
	daemonSet, config, kinds := objects(t, manifest)
	check(t, daemonSet, config)
	slices.Sort(kinds)
	if want := []string{"ConfigMap", "DaemonSet", "Secret", "Service", "ServiceMonitor"}; !slices.Equal(kinds, want) {
		t.Errorf("objects are %q, want %q", kinds, want)
	}
	pod := daemonSet.Spec.Template.Spec
	container := pod.Containers[0]
	for what, fits := range map[string]bool{
		"image":              container.Image == "registry.example/procspan/procspan@sha256:"+strings.Repeat("a", 64),
		"names":              daemonSet.Name == "tracer" && daemonSet.Namespace == "tracing" && config.Namespace == "tracing",
		"headers":            strings.Contains(config.Data["procspan.yaml"], "value: ${OTLP_HEADER_0}"),
		"logs":               strings.Contains(config.Data["procspan.yaml"], "logger_provider:"),
		"compression":        strings.Contains(config.Data["procspan.yaml"], "compression: zstd"),
		"resource":           strings.Contains(config.Data["procspan.yaml"], "production"),
		"procspan":           strings.Contains(config.Data["procspan.yaml"], "min_duration: 10ms"),
		"persist":            !strings.Contains(manifest, "bpffs"),
		"service account":    pod.ServiceAccountName == "given",
		"capabilities":       len(container.SecurityContext.Capabilities.Add) == 4,
		"seccomp":            container.SecurityContext.SeccompProfile.Type == "RuntimeDefault",
		"SELinux":            container.SecurityContext.SELinuxOptions.Type == "spc_t",
		"DNS":                pod.HostNetwork && pod.DNSPolicy == core.DNSClusterFirstWithHostNet,
		"affinity":           pod.Affinity != nil,
		"labels":             daemonSet.Spec.Template.Labels["team"] == "build" && daemonSet.Labels["tier"] == "node",
		"annotations":        daemonSet.Spec.Template.Annotations["note"] == "pods",
		"pull secrets":       len(pod.ImagePullSecrets) == 1,
		"extra variables":    slices.ContainsFunc(container.Env, func(e core.EnvVar) bool { return e.Name == "HTTPS_PROXY" }),
		"extra volumes":      slices.ContainsFunc(container.VolumeMounts, func(m core.VolumeMount) bool { return m.MountPath == "/ca" }),
		"extra objects":      strings.Contains(manifest, "procspan-extra"),
		"service monitor":    strings.Contains(manifest, "release: prometheus"),
		"no secret is in it": !strings.Contains(manifest, "token:"),
	} {
		if !fits {
			t.Errorf("%s: not as set in\n%s", what, manifest)
		}
	}
}

// TestDetach has what outlives the pods unloaded before the DaemonSet goes.
func TestDetach(t *testing.T) {
	daemonSet, config, _ := objects(t, mustRender(t, map[string]any{"persist": map[string]any{"detach": true}}))
	check(t, daemonSet, config)
	pod := daemonSet.Spec.Template.Spec
	if len(pod.InitContainers) != 1 || !slices.Equal(pod.InitContainers[0].Args, []string{"detach"}) {
		t.Fatalf("the init containers are %+v, want procspan detach", pod.InitContainers)
	}
	detach := pod.InitContainers[0]
	if !reflect.DeepEqual(detach.SecurityContext, pod.Containers[0].SecurityContext) {
		t.Errorf("its security context is %+v, want the other container's", detach.SecurityContext)
	}
	for _, mount := range detach.VolumeMounts {
		if !slices.ContainsFunc(pod.Containers[0].VolumeMounts, func(m core.VolumeMount) bool { return reflect.DeepEqual(m, mount) }) {
			t.Errorf("it mounts %+v, and the other container does not", mount)
		}
	}
	if !strings.Contains(config.Data["procspan.yaml"], "persist: false") {
		t.Errorf("what is unloaded would be loaded again:\n%s", config.Data["procspan.yaml"])
	}
}

// TestPlatforms renders the chart with the values for each platform.
func TestPlatforms(t *testing.T) {
	files, err := filepath.Glob("values/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no values in values: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			values, err := chartutil.ReadValuesFile(file)
			if err != nil {
				t.Fatal(err)
			}
			manifest := mustRender(t, values)
			daemonSet, config, _ := objects(t, manifest)
			check(t, daemonSet, config)
			if constraints := document(t, manifest, "SecurityContextConstraints"); constraints != nil {
				checkConstraints(t, constraints, daemonSet)
			}
		})
	}
}

// checkConstraints checks that OpenShift's constraints allow what the pod has, and no
// more capabilities.
func checkConstraints(t *testing.T, constraints map[string]any, daemonSet apps.DaemonSet) {
	t.Helper()
	pod := daemonSet.Spec.Template.Spec
	security := pod.Containers[0].SecurityContext
	var capabilities []any
	for _, capability := range security.Capabilities.Add {
		capabilities = append(capabilities, string(capability))
	}
	for key, want := range map[string]any{
		"allowHostPID":             pod.HostPID,
		"allowHostDirVolumePlugin": true,
		"allowPrivilegedContainer": *security.Privileged,
		"allowPrivilegeEscalation": *security.AllowPrivilegeEscalation,
		"readOnlyRootFilesystem":   *security.ReadOnlyRootFilesystem,
		"allowedCapabilities":      capabilities,
		"users":                    []any{"system:serviceaccount:" + daemonSet.Namespace + ":" + pod.ServiceAccountName},
	} {
		if !reflect.DeepEqual(constraints[key], want) {
			t.Errorf("%s is %v, want %v", key, constraints[key], want)
		}
	}
}

// document returns the object of a kind, or nil.
func document(t *testing.T, manifest, kind string) map[string]any {
	t.Helper()
	for text := range strings.SplitSeq(manifest, "\n---\n") {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(text), &object); err != nil {
			t.Fatal(err)
		}
		if object["kind"] == kind {
			return object
		}
	}
	return nil
}

// TestCollectorRole decodes the Collector's role; test/e2e compares it with what a
// Collector asks.
func TestCollectorRole(t *testing.T) {
	text, err := os.ReadFile("../kubernetes/collector-rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	first, second, ok := strings.Cut(string(text), "\n---\n")
	var role rbac.ClusterRole
	var binding rbac.ClusterRoleBinding
	if err := errors.Join(yaml.UnmarshalStrict([]byte(first), &role), yaml.UnmarshalStrict([]byte(second), &binding)); err != nil || !ok {
		t.Fatal(err)
	}
	if binding.RoleRef.Kind != role.Kind || binding.RoleRef.Name != role.Name || len(binding.Subjects) != 1 {
		t.Errorf("%+v does not bind %s", binding, role.Name)
	}
}

// TestRefused gives the chart values that its schema refuses.
func TestRefused(t *testing.T) {
	for _, tc := range []struct {
		name   string
		values map[string]any
		want   string
	}{
		{"an unknown value", map[string]any{"endpoint": "x"}, "endpoint"},
		{"a digest that is none", map[string]any{"image": map[string]any{"digest": "latest"}}, "digest"},
		{"an unknown compression", map[string]any{"output": map[string]any{"compression": "lz4"}}, "compression"},
		{"a header without a secret", map[string]any{"output": map[string]any{"headers": []any{map[string]any{"name": "a", "value": "b"}}}}, "secret"},
		{"a port that is none", map[string]any{"health": map[string]any{"port": 70000}}, "port"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := render(t, tc.values); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error that names %s", err, tc.want)
			}
		})
	}
}

// TestEveryValue holds the schema and values.yaml against each other.
func TestEveryValue(t *testing.T) {
	read := func(name string) map[string]any {
		data, err := os.ReadFile(filepath.Join("procspan", name))
		if err != nil {
			t.Fatal(err)
		}
		var into map[string]any
		if err := yaml.Unmarshal(bytes.TrimSpace(data), &into); err != nil {
			t.Fatal(err)
		}
		return into
	}
	values, properties := read("values.yaml"), read("values.schema.json")["properties"].(map[string]any)
	for name := range values {
		if properties[name] == nil {
			t.Errorf("the schema has no %s", name)
		}
	}
	for name := range properties {
		if _, ok := values[name]; !ok && name != "global" {
			t.Errorf("values.yaml has no %s", name)
		}
	}
}
