package agent

import (
	"testing"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport"
)

// Refused credentials end the export of a command at once, and are retried by a
// daemon.
func TestOneCommandDropsUnfixed(t *testing.T) {
	clock, err := otelexport.NewClock()
	if err != nil {
		t.Fatal(err)
	}
	for _, oneCommand := range []bool{false, true} {
		o, _ := unreachable()
		logs := config.DefaultLogs()
		o.Config.Logs, o.oneCommand = &logs, oneCommand
		eo, err := exporterOptions(o, clock)
		if err != nil {
			t.Fatal(err)
		}
		if eo.Traces[0].DropUnfixed != oneCommand || eo.Logs[0].DropUnfixed != oneCommand {
			t.Errorf("one command %t: got %t and %t", oneCommand, eo.Traces[0].DropUnfixed, eo.Logs[0].DropUnfixed)
		}
	}
}
