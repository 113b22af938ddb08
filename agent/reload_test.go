package agent

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/process"
)

// An agent that dies after a reload leaves its state by the new configuration: the
// next agent, which has the same, restores all of it and sends nothing again.
func TestReloadIsHandedOver(t *testing.T) {
	dir := t.TempDir()
	first := startAgent(t, dir, 50, true)
	now := first.keep.config
	first.keep.config++ // another configuration
	first.keep.snapshot(false)
	first.live(300)
	settle(t, first.exporter, 0)
	first.flow.table.SetPolicy(process.Policy{MaxSpans: 7})
	first.keep.reconfigured(now)
	first.live(300)
	settle(t, first.exporter, 0)
	first.live(1) // so that this is written
	before, _ := first.exporter.Stats()
	first.kill()

	second := startAgent(t, dir, 0, true)
	second.flow.policy = process.Policy{MaxSpans: 7}
	if !second.keep.restore() {
		t.Fatalf("nothing is restored; it logged:\n%s", second.log)
	}
	wantSame(t, second, first)
	if after, _ := second.exporter.Stats(); after.Accepted+after.Restored > 3 { // but for the last
		t.Errorf("%d of %d delivered spans are sent again", after.Accepted+after.Restored, before.Delivered)
	}
}

// Nothing but a valid file of an agent that has one changes anything; why is logged.
func TestReloadFails(t *testing.T) {
	for _, tt := range []struct {
		name string
		load func() (config.Config, error)
		want []string
	}{
		{"no file", nil, []string{"there is no configuration file to read again"}},
		{"unreadable", func() (config.Config, error) { return config.Config{}, os.ErrPermission }, []string{"permission denied"}},
		{"problems", func() (config.Config, error) {
			return config.Config{}, &config.Invalid{Problems: []config.Problem{{Name: "f", Line: 3, Path: "a", Text: "bad"}, {Name: "f", Line: 4, Path: "b", Text: "worse"}}}
		}, []string{"file=f line=3 option=a problem=bad", "file=f line=4 option=b problem=worse", "problems=2"}},
		{"a certificate that is not there", func() (config.Config, error) {
			c := config.Default()
			traces := config.DefaultTraces()
			traces.Pipelines[0].Exporter.OTLPGRPC.TLS.CAFile = "/nowhere.pem"
			c.Traces = &traces
			return c, nil
		}, []string{"/nowhere.pem"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, log := unreachable()
			requests := make(chan os.Signal, 1)
			o.Reload, o.Load = requests, tt.load
			f := &flow{}
			stop := f.acceptReloads(o, func(*change) error { return errors.New("the flow got it") })
			requests <- os.Interrupt
			for f.reloads.failed.Load() == 0 {
				select {
				case c := <-f.reloads.pending():
					t.Fatalf("a change to %+v", c.config)
				default:
				}
			}
			stop()
			for _, want := range append(tt.want, "configuration not reloaded, the present one stays in force") {
				if !strings.Contains(log.String(), want) {
					t.Errorf("%q is not in\n%s", want, log)
				}
			}
		})
	}
}

// A file that hangs keeps nobody from stopping.
func TestReloadHangs(t *testing.T) {
	o, _ := unreachable()
	requests, reading, release := make(chan os.Signal, 1), make(chan struct{}), make(chan struct{})
	o.Reload, o.Load = requests, func() (config.Config, error) {
		close(reading)
		<-release
		return config.Config{}, os.ErrDeadlineExceeded
	}
	f := &flow{}
	stop := f.acceptReloads(o, func(*change) error { return nil })
	requests <- os.Interrupt
	<-reading
	stop()
	close(release)
}
