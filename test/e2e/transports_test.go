package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// way is one way from procspan to a file: through a Collector, or directly.
type way struct{ name, exporter, file string }

// TestWays traces the same processes by every way there is: OTLP over gRPC and over
// HTTP, each with every compression, to a Collector's own receivers; and to a file,
// which the Collector reads. All of them have the same spans.
//
// A signal has four exporters at most, so there are two agents. What an agent reads
// when it sees an exit, such as CPU times, is compared within an agent only.
func TestWays(t *testing.T) {
	requireObservable(t)
	dir := t.TempDir()
	direct := filepath.Join(dir, "direct.jsonl")
	var agents [2][]way
	var receives *collector
	withFreePorts(t, 6, func(ports []int) (err error) {
		agents = [2][]way{{{"file", fmt.Sprintf(`{otlp_file/development: {output_stream: "file://%s"}}`, direct), direct}}, nil}
		var config collectorOf
		for i, p := range []protocol{overGRPC, overHTTP} {
			for j, compression := range []string{"none", "gzip", "zstd"} {
				port := ports[3*i+j]
				file := filepath.Join(dir, fmt.Sprintf("%s-%s.json", p, compression))
				config.receive(p, port, file)
				exporter := strings.Replace(p.exporter(fmt.Sprintf("127.0.0.1:%d", port)), "}}", ", compression: "+compression+"}}", 1)
				agents[i] = append(agents[i], way{string(p) + " " + compression, exporter, file})
			}
		}
		receives, err = collectorAt(t, ports[0], config.String())
		return err
	})
	var daemons [2]*server
	for i, ways := range agents {
		var processors []string
		for _, w := range ways {
			processors = append(processors, fmt.Sprintf("{batch: {schedule_delay: %d, exporter: %s}}", 100*(i+1), w.exporter))
		}
		daemons[i] = startRun(t, writeFile(t, fmt.Sprintf("procspan-%d.yaml", i), fmt.Sprintf(`file_format: "1.0"
tracer_provider: {processors: [%s]}
distribution: {procspan: {capture: {args: full}}}
`, strings.Join(processors, ", "))))
	}
	load := startLoad(t, lifetimesPerSecond)
	load.await(lifetimesPerSecond)
	n := int(load.stop())
	for _, daemon := range daemons {
		if status := daemon.stop(); status != "exit status 0" {
			t.Errorf("procspan run ends with %s on SIGTERM", status)
		}
		if got := strings.Count(daemon.printed(), "msg=ledger exporter="); got < 3 || strings.Contains(daemon.printed(), "level=ERROR") {
			t.Errorf("got %d ledgers, want one for each exporter and no error:\n%s", got, daemon.logTail())
		}
	}
	if status := receives.stop(); status != "exit status 0" { // so that the files have everything
		t.Errorf("the collector ends with %s", status)
	}
	agents[0] = append(agents[0], way{"file, read by the Collector", "", readByCollector(t, direct, n)})
	var first map[int]*span
	for _, ways := range agents {
		var of map[int]*span
		for _, w := range ways {
			got := numberedSpans(t, w.file)
			if len(got) != n {
				t.Errorf("%s: got %d spans of the load, want %d", w.name, len(got), n)
			}
			if of == nil {
				of = got
			}
			for number, s := range got {
				if !reflect.DeepEqual(s, of[number]) {
					t.Fatalf("%s: process %d is\n%+v\nand by %s\n%+v", w.name, number, s, ways[0].name, of[number])
				}
			}
		}
		if first == nil {
			first = of
		}
		for number, s := range of {
			want := first[number]
			if s.SpanID != want.SpanID || s.TraceID != want.TraceID || s.ParentID != want.ParentID || s.Name != want.Name ||
				!reflect.DeepEqual(s.Resource, want.Resource) || !reflect.DeepEqual(s.Attributes["process.command_args"], want.Attributes["process.command_args"]) {
				t.Fatalf("process %d is\n%+v\nby one agent and\n%+v\nby the other", number, s, want)
			}
		}
	}
}

// readByCollector has a Collector read a file and write what it has read, and returns
// that file.
func readByCollector(t *testing.T, path string, n int) (read string) {
	t.Helper()
	read = filepath.Join(t.TempDir(), "read.json")
	reader := startServer(t, "collector", collectorBinary(t), "--config", writeFile(t, "collector.yaml", fmt.Sprintf(`
service:
  pipelines: {traces: {receivers: [json_lines], exporters: [file]}}
  telemetry: {metrics: {level: none}, logs: {level: info}}
receivers: {json_lines: {path: %q}}
exporters: {file: {path: %q, flush_interval: 10ms}}
`, path, read)))
	err := reader.awaitReady(t.Context(), func(context.Context) error {
		if _, err := os.Stat(read); err != nil {
			return err
		}
		if got := len(numberedSpans(t, read)); got < n {
			return fmt.Errorf("it has read %d spans of %d", got, n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// collectorOf is the configuration of a Collector with a pipeline for each port.
type collectorOf struct{ pipelines, receivers, exporters []string }

func (c *collectorOf) receive(p protocol, port int, file string) {
	c.pipelines = append(c.pipelines, fmt.Sprintf("traces/%d: {receivers: [otlp/%[1]d], exporters: [file/%[1]d]}", port))
	c.receivers = append(c.receivers, fmt.Sprintf(`otlp/%d: {protocols: {%s: {endpoint: "127.0.0.1:%[1]d"}}}`, port, p))
	c.exporters = append(c.exporters, fmt.Sprintf("file/%d: {path: %q, flush_interval: 10ms}", port, file))
}

func (c *collectorOf) String() string {
	return fmt.Sprintf(`
service:
  pipelines: {%s}
  telemetry: {metrics: {level: none}, logs: {level: info}}
receivers: {%s}
exporters: {%s}
`, strings.Join(c.pipelines, ", "), strings.Join(c.receivers, ", "), strings.Join(c.exporters, ", "))
}

// numberedSpans returns the spans of the load's processes in a file of OTLP's JSON.
func numberedSpans(t *testing.T, path string) map[int]*span {
	t.Helper()
	spans := map[int]*span{}
	for _, line := range readLines(t, path) {
		var request otlpTraces
		if err := json.Unmarshal(line, &request); err != nil {
			t.Fatalf("decode %s: %v", path, err)
		}
		for _, s := range request.spans() {
			args, _ := stringList(s.Attributes["process.command_args"])
			var number int
			if len(args) != 2 {
				continue
			}
			if _, err := fmt.Sscanf(args[1], numberedArgument+"%d", &number); err != nil {
				continue
			}
			if spans[number] != nil {
				t.Errorf("%s has process %d twice", path, number)
			}
			spans[number] = s
		}
	}
	return spans
}
