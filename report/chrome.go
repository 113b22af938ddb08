package report

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/procspan/procspan/timeline"
)

// chromeEvent is one event of the Trace Event Format ("JSON Object Format").
type chromeEvent struct {
	Name      string         `json:"name"`
	Category  string         `json:"cat,omitempty"`
	Phase     string         `json:"ph"`
	Time      float64        `json:"ts"` // µs
	Duration  float64        `json:"dur,omitempty"`
	PID       int            `json:"pid"`
	TID       int            `json:"tid"`
	Arguments map[string]any `json:"args,omitempty"`
}

// Chrome writes the job in the Trace Event Format, for chrome://tracing and the
// Perfetto UI: a thread for each lane of the job, and one for the critical path.
// Perfetto's own format holds more in less room.
func Chrome(w io.Writer, a *timeline.Analysis) error {
	return buffered(w, "the trace events", func(out *bufio.Writer) (err error) {
		out.WriteString("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n")
		separator := ""
		chromeEvents(a, func(e chromeEvent) {
			b, encodeErr := json.Marshal(e)
			err = errors.Join(err, encodeErr)
			out.WriteString(separator)
			out.Write(b)
			separator = ",\n"
		})
		out.WriteString("\n]}\n")
		return err
	})
}

// buffered writes what, of which the first error of the writer counts as well.
func buffered(w io.Writer, what string, write func(*bufio.Writer) error) error {
	out := bufio.NewWriter(w)
	if err := errors.Join(write(out), out.Flush()); err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	return nil
}

// The numbers of the two processes that the viewers show.
const (
	chromeJob  = 1
	chromePath = 2
)

func chromeEvents(a *timeline.Analysis, event func(chromeEvent)) {
	for i, what := range []string{title(a), "critical path"} {
		event(chromeEvent{Name: "process_name", Phase: "M", PID: chromeJob + i, Arguments: map[string]any{"name": what}})
	}
	for i := range a.Len() {
		event(chromeEvent{
			Name: a.Name(i), Category: category(a, i), Phase: "X", Time: micro(a.Start[i]), Duration: micro(a.End[i] - a.Start[i]),
			PID: chromeJob, TID: int(a.Lane[i]) + 1, Arguments: details(a, i),
		})
	}
	for _, s := range a.Path.Segments {
		event(chromeEvent{
			Name: a.Name(s.Process), Category: "path", Phase: "X", Time: micro(s.Start), Duration: micro(s.End - s.Start),
			PID: chromePath, TID: 1, Arguments: map[string]any{"pid": a.PID[s.Process], "proved": s.Proved, "next": s.Next.String()},
		})
	}
}

func micro(ns int64) float64 { return float64(ns) / 1e3 }

func category(a *timeline.Analysis, i int) string {
	if a.Has(i, timeline.Failed) {
		return "failed"
	}
	return "process"
}

// details are the facts of one process, by the names of its span's attributes.
func details(a *timeline.Analysis, i int) map[string]any {
	args := []string{}
	for arg := range a.Args(i) {
		args = append(args, arg)
	}
	d := map[string]any{
		"process.pid": a.PID[i], "process.command_args": args, "process.exit.code": a.ExitCode(i),
		"procspan.cpu.time.user": float64(a.User[i]) / 1e9, "procspan.cpu.time.system": float64(a.System[i]) / 1e9,
	}
	set := func(name, value string) {
		if value != "" {
			d[name] = value
		}
	}
	set("process.executable.path", a.Text(a.Executable[i]))
	set("process.working_directory", a.Text(a.Directory[i]))
	set("container.id", a.Text(a.Container[i]))
	set("procspan.exit.signal", a.Status[i].SignalName())
	if a.PeakRSS[i] > 0 {
		d["procspan.memory.peak_rss"] = a.PeakRSS[i]
	}
	if a.Has(i, timeline.DelayKnown) {
		d["procspan.cpu.wait.time"] = float64(a.RunDelay[i]) / 1e9
	}
	switch {
	case a.Has(i, timeline.ParentWaited):
		d["procspan.parent.waiting"] = true
	case a.Has(i, timeline.ParentWorked):
		d["procspan.parent.waiting"] = false
	}
	for name, f := range map[string]timeline.Flags{
		"procspan.start.estimated": timeline.StartEstimated, "procspan.exit.estimated": timeline.EndEstimated,
		"procspan.exit.expected": timeline.Expected, "procspan.args.truncated": timeline.ArgsCut, "procspan.oom_killed": timeline.OOMKilled,
	} {
		if a.Has(i, f) {
			d[name] = true
		}
	}
	if a.Has(i, timeline.EndEstimated) {
		delete(d, "process.exit.code")
	}
	return d
}
