package agent

import (
	"context"
	"log/slog"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/selfmetrics"
	"github.com/procspan/procspan/test/noleak"
)

// openFlow returns a flow that observes this host and shows nothing.
func openFlow(t testing.TB) *flow {
	t.Helper()
	clock, err := otelexport.NewClock()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Config: config.Default(), Version: "test", Log: slog.New(slog.DiscardHandler)}
	f, err := open(o, clock, process.NewIDs("test"), &slowOutput{first: func() {}}, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.tracer.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestSnapshot(t *testing.T) {
	needRoot(t)
	f := openFlow(t)
	f.adopt(nil)
	if err := exec.Command("/bin/true").Run(); err != nil {
		t.Fatal(err)
	}
	before := f.snapshot(true)
	if before.RingBytes == 0 || before.RingSize != config.Default().Kernel.RingBytes(onlineCPUs()) {
		t.Errorf("%d bytes of a ring of %d are unread", before.RingBytes, before.RingSize)
	}
	if _, err := f.drain(time.Now()); err != nil {
		t.Fatal(err)
	}
	f.losses.check(f.tracer.Losses, f.table.Stats(), false)
	s := f.snapshot(true)
	for i, kind := range []string{"fork", "exec", "exit", "cgroup_path", "malformed"} {
		if e := s.Events[i]; e.Name != kind || (e.Count == 0) != (kind == "malformed") {
			t.Errorf("of %s there are %+v", kind, e)
		}
	}
	if !s.Observing || time.Since(s.At) < 0 || s.Living == 0 || s.Traces == 0 || s.Ended == 0 {
		t.Errorf("got %+v", s)
	}
	for _, want := range []selfmetrics.Loss{
		{Stage: selfmetrics.StageKernel, Reason: "exec: ring buffer full"},
		{Stage: selfmetrics.StageTable, Reason: "record malformed"},
	} {
		if !slices.ContainsFunc(s.Losses, func(l selfmetrics.Loss) bool { return l.Stage == want.Stage && l.Reason == want.Reason }) {
			t.Errorf("there is no %+v in %+v", want, s.Losses)
		}
	}
}

// What tells of the agent ends with it, whatever it shows.
func TestRunTellsOfItself(t *testing.T) {
	needRoot(t)
	defer noleak.Verify(t)
	for name, with := range map[string]func() (Options, *buffer){
		"live table": func() (Options, *buffer) { o, _, log := options(); return o, log },
		"exporter":   unreachable,
	} {
		t.Run(name, func(t *testing.T) {
			o, log := with()
			o.Config.Metrics = &config.Metrics{Prometheus: &config.Prometheus{Host: "127.0.0.1"}}
			o.Config.Health.Endpoint = "127.0.0.1:0"
			ctx, stop := context.WithCancel(t.Context())
			o.Ready = stop
			if name == "exporter" { // whose collector is away
				hurry, cancel := context.WithCancel(t.Context())
				cancel()
				o.Hurry = hurry
			}
			if err := Run(ctx, o); err != nil {
				t.Error(err)
			}
			for _, want := range []string{`msg="serving metrics" url=http://127.0.0.1:`, `msg="serving health" url=http://127.0.0.1:`, "msg=stopped"} {
				if strings.Count(log.String(), want) != 1 {
					t.Errorf("the log does not have %s once:\n%s", want, log)
				}
			}
		})
	}
}

// A port that is taken keeps the agent from starting, before anything is loaded.
func TestRunWithoutItsPort(t *testing.T) {
	needRoot(t)
	defer noleak.Verify(t)
	o, log := unreachable()
	o.Config.Health.Endpoint = "192.0.2.1:13133" // of no machine
	err := Run(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "serve health: ") || strings.Contains(log.String(), "observing") {
		t.Errorf("got %v, and the log\n%s", err, log)
	}
}

func BenchmarkSnapshot(b *testing.B) {
	f := openFlow(b)
	f.losses.check(f.tracer.Losses, f.table.Stats(), false)
	b.ReportAllocs()
	for b.Loop() {
		f.snapshot(true)
	}
}
