package agent

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/selfmetrics"
)

// A loss is one record for each reason and interval, at once when it begins and
// then with what came in between, and one count.
func TestLossesDoNotFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &buffer{}
		l := newLossLog(slog.New(slog.NewTextHandler(log, nil)))
		kernel := []bpf.Loss{{Reason: "a", Count: 0}, {Reason: "b", Count: 0}}
		stats := process.Stats{}
		begin := time.Now()
		for range 300 { // 30 s of a loss with every event, looked at ten times as often as the agent does
			kernel = slices.Clone(kernel)
			kernel[0].Count += 1000
			stats.Evicted++
			l.check(func() ([]bpf.Loss, error) { return kernel, nil }, stats, false)
			time.Sleep(100 * time.Millisecond)
		}
		kernel[1].Count = 7
		l.check(func() ([]bpf.Loss, error) { return kernel, nil }, stats, true)
		l.check(func() ([]bpf.Loss, error) { return kernel, nil }, stats, true)
		intervals := int(time.Since(begin)/lossLogEvery) + 1 // one begins at once
		for text, want := range map[string]int{
			"reason=a ":                    intervals,
			`reason="process evicted: `:    intervals,
			"reason=b count=7 total=7\n":   1,
			"reason=a count=1000 total=":   1,
			"reason=a count=100000 total=": intervals - 2,
			"total=300000\n":               1,
		} {
			if n := strings.Count(log.String(), text); n != want {
				t.Errorf("%q is there %d times, want %d", text, n, want)
			}
		}
		if t.Failed() {
			t.Log(log)
		}
		want := []selfmetrics.Loss{
			{Stage: selfmetrics.StageKernel, Reason: "a", Count: 300_000}, {Stage: selfmetrics.StageKernel, Reason: "b", Count: 7},
			{Stage: selfmetrics.StageTable, Reason: "process evicted: too many are running (kernel.max_processes)", Count: 300},
			{Stage: selfmetrics.StageTable, Reason: "arguments and paths dropped: those of running processes exceed their memory limit"},
			{Stage: selfmetrics.StageTable, Reason: "exit not seen: the end is estimated"},
			{Stage: selfmetrics.StageTable, Reason: "record malformed"},
			{Stage: selfmetrics.StageTable, Reason: "listing of running processes failed"},
			{Stage: selfmetrics.StageTable, Reason: "saved state: process not restored"},
			{Stage: selfmetrics.StageTable, Reason: "saved state: waiting item not restored"},
			{Stage: selfmetrics.StageTable, Reason: "saved state: record of another version"},
			{Stage: selfmetrics.StageTable, Reason: "saved state: damaged"},
		}
		if got := l.all(); !slices.Equal(got, want) {
			t.Errorf("the counts are\n%v, want\n%v", got, want)
		}
	})
}

// Counters that cannot be read are said once an interval, and the last known
// counts stay.
func TestLossesThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &buffer{}
		l := newLossLog(slog.New(slog.NewTextHandler(log, nil)))
		l.check(func() ([]bpf.Loss, error) { return []bpf.Loss{{Reason: "a", Count: 3}}, nil }, process.Stats{}, false)
		for range 2 * lossLogEvery / time.Second {
			time.Sleep(time.Second)
			l.check(func() ([]bpf.Loss, error) { return nil, errors.New("gone") }, process.Stats{}, false)
		}
		if n := strings.Count(log.String(), "cannot read the loss counters"); n != 2 {
			t.Errorf("it is said %d times in two intervals:\n%s", n, log)
		}
		if n := strings.Count(log.String(), "reason=a"); n != 1 {
			t.Errorf("the loss is told %d times:\n%s", n, log)
		}
		if got := l.all()[0]; got.Count != 3 {
			t.Errorf("the count is %d, want the last known, 3", got.Count)
		}
	})
}

// Whoever takes over does not tell again what was told.
func TestLossesAreToldOnceByAll(t *testing.T) {
	log := &buffer{}
	first := newLossLog(slog.New(slog.NewTextHandler(log, nil)))
	kernel := func() ([]bpf.Loss, error) { return []bpf.Loss{{Reason: "a", Count: 3}}, nil }
	stats := process.Stats{BadTraceparent: 2, Estimated: 1}
	first.check(kernel, stats, true)
	second := lossLog{log: first.log, logged: first.logged}
	second.check(kernel, stats, true)
	for _, text := range []string{"reason=a count=3", "reason=\"exit not seen", "TRACEPARENT ignored"} {
		if n := strings.Count(log.String(), text); n != 1 {
			t.Errorf("%q is there %d times, want once:\n%s", text, n, log)
		}
	}
}
