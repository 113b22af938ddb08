package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// TestComposeFile holds that docker-compose.yml is a valid Compose file, that
// the configurations it carries are valid for the programs that read them, and
// that what they say to each other fits. It needs no container engine.
func TestComposeFile(t *testing.T) {
	project := composeFile(t)
	for name, service := range project.Services {
		if service.Build == nil && !strings.Contains(service.Image, ":") || strings.HasSuffix(service.Image, ":latest") {
			t.Errorf("%s: image %q is not pinned to a version", name, service.Image)
		}
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %d is open to %q, want 127.0.0.1 only", name, port.Target, port.HostIP)
			}
		}
		for dependency := range service.DependsOn {
			if _, ok := project.Services[dependency]; !ok {
				t.Errorf("%s depends on %s, which is no service", name, dependency)
			}
		}
		for _, host := range endpoints(project, service) {
			if _, ok := project.Services[host]; !ok {
				t.Errorf("%s sends to %s, which is no service", name, host)
			}
		}
	}

	procspan := writeFile(t, "procspan.yaml", config(t, project, "procspan"))
	if code, out := runCommand(t, "", procspanBinary(t), "config", "check", procspan); code != 0 {
		t.Errorf("procspan refuses its configuration: %s", out)
	}
	collector := writeFile(t, "otelcol.yaml", config(t, project, "collector"))
	if code, out := runCommand(t, "", collectorBinary(t), "validate", "--config", collector); code != 0 {
		t.Errorf("the Collector refuses its configuration: %s", out)
	}
}

// TestComposeFlow runs what docker-compose.yml describes, without containers:
// spans come to Jaeger's page and log records to the Collector's own log.
func TestComposeFlow(t *testing.T) {
	requireObservable(t)
	project := composeFile(t)
	jaeger := startJaeger(t)
	collector := runCollector(t, func(port int) string {
		return strings.NewReplacer(
			"0.0.0.0:4317", fmt.Sprintf("127.0.0.1:%d", port),
			"jaeger:4317", jaeger.otlp,
			"service:\n", "service:\n  telemetry: {metrics: {level: none}}\n", // no port for them
		).Replace(config(t, project, "collector"))
	})
	procspan := writeFile(t, "procspan.yaml",
		strings.ReplaceAll(config(t, project, "procspan"), "collector:4317", collector.otlp))
	mustRun(t, "", procspanBinary(t), "exec", "--config", procspan, "--", "sh", "-c", "/bin/true; exit")
	if status := collector.stop(); status != "exit status 0" {
		t.Errorf("the collector ends with %s", status)
	}
	spans := jaeger.awaitSpans(t, execService, 2)
	if tree, err := treeOf(spans); err != nil || tree.String() != "sh exit 0\n  true exit 0\n" {
		t.Errorf("the tree is %v, %v", tree, err)
	}
	for _, line := range []string{"sh: exec", "true: exec", "true: exit code 0", "sh: exit code 0"} {
		if n := strings.Count(collector.printed(), line+" process.pid="); n != 1 {
			t.Errorf("the collector's log has %q %d times, want once", line, n)
		}
	}
}

// composeFile returns docker-compose.yml.
func composeFile(t *testing.T) *types.Project {
	t.Helper()
	data, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  "..",
		ConfigFiles: []types.ConfigFile{{Filename: "docker-compose.yml", Content: data}},
	})
	if err != nil {
		t.Fatalf("load docker-compose.yml: %v", err)
	}
	return project
}

// config returns what the file holds under configs.
func config(t *testing.T, project *types.Project, name string) string {
	t.Helper()
	content := project.Configs[name].Content
	if content == "" {
		t.Fatalf("docker-compose.yml has no configs.%s.content", name)
	}
	return content
}

// endpoints returns the hosts that a service's configurations send to: those of
// lines "endpoint: [http://]HOST:4317", less its own receiver's.
func endpoints(project *types.Project, service types.ServiceConfig) []string {
	var hosts []string
	for _, c := range service.Configs {
		for line := range strings.Lines(project.Configs[c.Source].Content) {
			target, ok := strings.CutPrefix(strings.TrimSpace(line), "endpoint:")
			host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(target), "http://"), ":")
			if ok && host != "0.0.0.0" {
				hosts = append(hosts, host)
			}
		}
	}
	return hosts
}
