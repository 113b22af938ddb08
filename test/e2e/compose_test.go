package e2e

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// TestComposeFile holds that docker-compose.yml is a valid Compose file, that
// the configurations it carries are valid for the programs that read them, and
// that what they say to each other fits. It needs no container engine.
func TestComposeFile(t *testing.T) {
	project := composeFile(t)
	for name, service := range project.Services {
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

	// Only /tmp belongs to Jaeger's user in its image, and a volume becomes what it
	// is mounted on.
	for line := range strings.Lines(config(t, project, "jaeger")) {
		key, dir, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if (key == "keys" || key == "values") && path.Dir(dir) != jaegerDirectory {
			t.Errorf("Jaeger's %s are in %s, want below %s", key, dir, jaegerDirectory)
		}
	}
	volumes := project.Services["jaeger"].Volumes
	if len(volumes) != 1 || volumes[0].Type != types.VolumeTypeVolume || volumes[0].Target != "/tmp" || volumes[0].ReadOnly {
		t.Errorf("Jaeger's volumes are %+v, want a named one at /tmp", volumes)
	} else if _, ok := project.Volumes[volumes[0].Source]; !ok {
		t.Errorf("volume %q is not declared", volumes[0].Source)
	}
	for setting, want := range map[string]string{"": "spans: 72h\n", "JAEGER_RETENTION=24h": "spans: 24h\n"} {
		if text := config(t, composeFile(t, setting), "jaeger"); !strings.Contains(text, want) {
			t.Errorf("with %q, Jaeger's configuration has no %q:\n%s", setting, want, text)
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
// spans come to Jaeger's page and log records to the Collector's own log. Another
// Jaeger on the same volume still has the spans.
func TestComposeFlow(t *testing.T) {
	requireObservable(t)
	project := composeFile(t)
	volume := t.TempDir()
	backend := composeJaeger(t, project, volume)
	collector := runCollector(t, func(port int) string {
		return strings.NewReplacer(
			"0.0.0.0:4317", fmt.Sprintf("127.0.0.1:%d", port),
			"jaeger:4317", backend.otlp,
			"service:\n", "service:\n  telemetry: {metrics: {level: none}}\n", // no port for them
		).Replace(config(t, project, "collector"))
	})
	procspan := writeFile(t, "procspan.yaml",
		strings.ReplaceAll(config(t, project, "procspan"), "collector:4317", collector.otlp))
	mustRun(t, "", procspanBinary(t), "exec", "--config", procspan, "--", "sh", "-c", "/bin/true; exit")
	if status := collector.stop(); status != "exit status 0" {
		t.Errorf("the collector ends with %s", status)
	}
	wantSpans := func(j *jaeger) {
		t.Helper()
		spans := j.awaitSpans(t, execService, 2)
		if tree, err := treeOf(spans); err != nil || tree.String() != "sh exit 0\n  true exit 0\n" {
			t.Errorf("the tree is %v, %v", tree, err)
		}
	}
	wantSpans(backend)
	for _, line := range []string{"sh: exec", "true: exec", "true: exit code 0", "sh: exit code 0"} {
		if n := strings.Count(collector.printed(), line+" process.pid="); n != 1 {
			t.Errorf("the collector's log has %q %d times, want once", line, n)
		}
	}
	if status := backend.stop(); status != "exit status 0" {
		t.Errorf("Jaeger ends with %s", status)
	}
	wantSpans(composeJaeger(t, project, volume))
}

// jaegerDirectory is where docker-compose.yml lets Jaeger keep its database.
const jaegerDirectory = "/tmp/jaeger"

// composeJaeger starts the Jaeger of docker-compose.yml on a volume, and ends it
// with the test.
func composeJaeger(t *testing.T, project *types.Project, volume string) *jaeger {
	t.Helper()
	var j *jaeger
	withFreePorts(t, 3, func(ports []int) error {
		address := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
		text := strings.NewReplacer(
			"0.0.0.0:16686", address(0),
			"0.0.0.0:4317", address(1),
			jaegerDirectory, filepath.Join(volume, "jaeger"),
			"jaeger_query:\n", "jaeger_query:\n    grpc: {endpoint: "+address(2)+"}\n",
		).Replace(config(t, project, "jaeger"))
		j = &jaeger{
			server:   startServer(t, "jaeger", jaegerBinary(t), "--config", writeFile(t, "jaeger.yaml", text)),
			queryURL: "http://" + address(0),
			otlp:     address(1),
		}
		return j.awaitReady(t.Context(), func(ctx context.Context) error {
			if !strings.Contains(j.logTail(), "Everything is ready") {
				return errors.New("it does not say that it is ready")
			}
			_, err := httpGet(ctx, j.queryURL+"/api/services")
			return err
		})
	})
	return j
}

// composeFile returns docker-compose.yml as docker compose reads it: with the .env
// beside it, and with variables NAME=VALUE of the caller's environment.
func composeFile(t *testing.T, environment ...string) *types.Project {
	t.Helper()
	project, err := loadCompose(t.Context(), "../../docker-compose.yml", environment...)
	if err != nil {
		t.Fatalf("load docker-compose.yml: %v", err)
	}
	return project
}

func loadCompose(ctx context.Context, path string, environment ...string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{path}, cli.WithEnv(environment), cli.WithEnvFiles(), cli.WithDotEnv)
	if err != nil {
		return nil, err
	}
	return options.LoadProject(ctx)
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
