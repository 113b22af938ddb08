package agent

import (
	"context"
	"time"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/selfmetrics"
)

// lastMetricsWithin bounds the last export of metrics, after that of the spans.
const lastMetricsWithin = 2 * time.Second

// watchSelf starts what tells others how the agent does; nil where nobody wants
// to know.
func watchSelf(o Options) (*selfmetrics.Watch, error) {
	self := selfmetrics.Options{Metrics: o.Config.Metrics, Health: o.Config.Health, Version: o.Version, Log: o.Log}
	if m := o.Config.Metrics; m != nil {
		if m.Periodic != nil {
			tls, err := m.Periodic.Exporter.TLS.Config()
			if err != nil {
				return nil, err
			}
			self.TLS = tls
		}
		// What is missing of it is said with that of the spans.
		self.Resource, _ = otelexport.NewResource(context.Background(), o.Config.Resource, o.Version)
	}
	return selfmetrics.Start(self)
}

// stopSelf sends what was counted last, and ends it.
func stopSelf(o Options) {
	ctx, cancel := context.WithTimeout(o.hurry(), lastMetricsWithin)
	defer cancel()
	if err := o.self.Shutdown(ctx); err != nil {
		o.Log.Warn("the last metrics were not delivered", "error", err)
	}
}

// followExporter has the metrics tell of the exporter's delivery.
func followExporter(o Options, exporter *otelexport.Exporter) {
	var spans, logRecords string
	if o.Config.Traces != nil {
		spans = o.Config.Traces.Exporter.Target
	}
	if o.Config.Logs != nil {
		logRecords = o.Config.Logs.Exporter.Target
	}
	o.self.Follow(exporter, spans, logRecords)
}

// seen counts events by kind; any kind there can be has its place.
type seen [1 << 8]uint64

// publish tells what the flow knows now, where anybody wants to know.
func (f *flow) publish(observing bool) {
	if f.self.Watches() {
		f.self.Publish(f.snapshot(observing))
	}
}

// snapshot is what the flow knows now.
func (f *flow) snapshot(observing bool) *selfmetrics.Snapshot {
	stats := f.table.Stats()
	s := &selfmetrics.Snapshot{
		At:        time.Now(),
		Observing: observing,
		Living:    stats.Living, Traces: f.table.Traces(), Waiting: stats.Waiting,
		Ended: stats.Ended, LeftOut: stats.LeftOut, SampledOut: stats.SampledOut,
		Losses: f.losses.all(),
	}
	for _, kind := range []process.Kind{process.Fork, process.Exec, process.Exit, process.Named} {
		s.Events = append(s.Events, selfmetrics.Count{Name: kind.String(), Count: f.seen[kind]})
	}
	s.Events = append(s.Events, selfmetrics.Count{Name: "malformed", Count: f.losses.undecoded})
	s.RingBytes, s.RingSize = f.tracer.Waiting()
	programs, err := f.tracer.ProgramStats()
	if err != nil {
		f.log.Debug("the program statistics are not known", "error", err)
	}
	for _, p := range programs {
		s.Programs = append(s.Programs, selfmetrics.Program{Name: p.Name, Runs: p.Runs, Time: p.Time})
	}
	return s
}

// metricsFindings try where metrics and the answers to probes are to go.
func metricsFindings(o Options) []Finding {
	var findings []Finding
	tried := func(what, found string, err error) {
		if err != nil {
			found = ""
		}
		findings = append(findings, Finding{What: what, Found: found, Err: err})
	}
	if m := o.Config.Metrics; m != nil && m.Periodic != nil {
		to := m.Periodic.Exporter
		tls, err := to.TLS.Config()
		if err != nil {
			findings = append(findings, Finding{What: "metrics exporter", Err: err, Fatal: true})
		} else {
			ctx, cancel := context.WithTimeout(context.Background(), to.Timeout)
			defer cancel()
			tried("metrics exporter", to.Target+" answers", selfmetrics.ProbeExporter(ctx, to, tls, o.Version))
		}
	}
	if m := o.Config.Metrics; m != nil && m.Prometheus != nil {
		tried("metrics port", "free", selfmetrics.ProbePrometheus(m.Prometheus))
	}
	if o.Config.Health != (config.Health{}) {
		tried("health port", "free", selfmetrics.ProbeHealth(o.Config.Health))
	}
	return findings
}
