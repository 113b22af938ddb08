package agent

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/otelexport/deliver"
	"github.com/procspan/procspan/process"
)

func TestLedger(t *testing.T) {
	// An agent that took over 5 that ran and 1 that waited, and 4 spans.
	before := process.Stats{Seen: 100, Ended: 90, Filtered: 4, Running: 5, Deferred: 1}
	now := process.Stats{Seen: 140, Ended: 110, Filtered: 7, SampledOut: 2, Forgotten: 1, Deferred: 2, Running: 18}
	spans := otelexport.Stats{Accepted: 20, Restored: 4, Delivered: 15, Waiting: 3, Dropped: deliver.Drops{deliver.Refused: 4, deliver.Shutdown: 2}}
	l := newLedger(before, now, 3, spans)
	if n := l.missing(); n != 0 {
		t.Errorf("%d are missing in %+v", n, l)
	}
	var log bytes.Buffer
	l.report(slog.New(slog.NewTextHandler(&log, nil)))
	want := `level=INFO msg=ledger seen=49 restored=4 delivered=15 running=18 waiting=5 stored=0 filtered=3 sampled_out=2 ` +
		`lost=10 lost_by.kernel=3 lost_by.evicted=1 lost_by.refused=4 lost_by.shutdown=2`
	if !strings.Contains(log.String(), want) {
		t.Errorf("got  %swant %s", &log, want)
	}

	spans.Delivered-- // one that nobody accounts for
	log.Reset()
	newLedger(before, now, 3, spans).report(slog.New(slog.NewTextHandler(&log, nil)))
	if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "missing=1") {
		t.Errorf("got %swant an error that says that 1 is missing", &log)
	}
}
