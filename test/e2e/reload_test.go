package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

var (
	reloads     = flag.Int("reloads", 4, "how often procspan reads its configuration again, in TestReload")
	reloadEvery = flag.Int64("reload-every", 500, "lifetimes between two reloads, in TestReload")
	reloadRate  = flag.Int("reload-rate", 500, "lifetimes a second, in TestReload")
)

// slots are two configurations that differ in the resource, in what spans have, and in
// how they are sent.
var slots = map[string]string{
	"a": `file_format: "1.0"
resource: {attributes: [{name: service.name, value: slot-a}]}
tracer_provider: {processors: [{batch: {schedule_delay: 100, exporter: {otlp_grpc: {endpoint: "http://%[1]s", headers: [{name: x-slot, value: "of %[2]s"}]}}}}]}
distribution: {procspan: {capture: {args: full}}}
`,
	"b": `file_format: "1.0"
resource: {attributes: [{name: service.name, value: slot-b}]}
tracer_provider: {processors: [{batch: {schedule_delay: 300, max_export_batch_size: 100, exporter: {otlp_grpc: {endpoint: "http://localhost:%[2]s", compression: gzip}}}}]}
distribution: {procspan: {capture: {args: full}, traces: {max_spans: 500}, filter: {min_duration: 0s}}}
`,
}

// TestReload changes the configuration again and again under a load: each lifetime has
// one span, by one of the two.
func TestReload(t *testing.T) {
	requireObservable(t)
	sink := startSink(t)
	_, port, _ := strings.Cut(sink.otlp, ":")
	text := func(slot string) []byte { return fmt.Appendf(nil, slots[slot], sink.otlp, port) }
	config := writeFile(t, "procspan.yaml", string(text("a")))
	daemon := startRun(t, config)
	load := startLoad(t, *reloadRate)
	for i := range *reloads {
		load.await(load.ended.Load() + *reloadEvery)
		slot := []string{"b", "a"}[i%2]
		if err := os.WriteFile(config, text(slot), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := daemon.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		err := daemon.awaitReady(t.Context(), func(context.Context) error {
			if n := strings.Count(daemon.printed(), `msg="configuration reloaded"`); n != i+1 {
				return fmt.Errorf("it was reloaded %d times, want %d", n, i+1)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	load.await(load.ended.Load() + *reloadEvery)
	total := load.stop()
	if status := daemon.stop(); status != "exit status 0" {
		t.Errorf("procspan ends with %s", status)
	}
	sink.finish(t)

	seen, by := map[string]int{}, map[any]int{}
	for _, s := range sink.spans(t) {
		args, _ := stringList(s.Attributes["process.command_args"])
		if len(args) == 2 && strings.HasPrefix(args[1], numberedArgument) {
			seen[args[1]]++
			by[s.Resource["service.name"]]++
		}
	}
	t.Logf("%d processes, %d reloads; %d spans: %v", total, *reloads, len(seen), by)
	for argument, n := range seen {
		if n != 1 {
			t.Errorf("%s has %d spans", argument, n)
		}
	}
	if len(seen) != int(total) {
		t.Errorf("%d of %d processes have no span", int(total)-len(seen), total)
	}
	if len(by) != 2 || by["slot-a"] == 0 || by["slot-b"] == 0 {
		t.Errorf("spans by configuration: %v", by)
	}
	if log := daemon.printed(); !strings.Contains(log, "lost=0") || strings.Contains(log, "level=ERROR") {
		t.Errorf("it logged:\n%s", daemon.logTail())
	}
}
