package agent

import (
	"context"
	"time"

	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/selfmetrics"
)

// lastMetricsWithin bounds the last export of metrics, after that of the spans.
const lastMetricsWithin = 2 * time.Second

// watchSelf starts procspan's own metrics and health probes; nil if neither is
// configured.
func watchSelf(o Options) (*selfmetrics.Watch, error) {
	self := selfmetrics.Options{Metrics: o.Config.Metrics, Health: o.Config.Health, Files: o.Config.Files, Stdout: o.Stdout, Version: o.Version, Log: o.Log}
	if m := o.Config.Metrics; m != nil {
		if m.Periodic != nil {
			tls, err := m.Periodic.Exporter.Common().TLS.Config()
			if err != nil {
				return nil, err
			}
			self.TLS = tls
		}
		// An error is logged for the spans' resource.
		self.Resource, _ = otelexport.NewResource(context.Background(), o.Config.Resource, o.Version)
	}
	return selfmetrics.Start(self)
}

// stopSelf exports the last metrics and stops them.
func stopSelf(o Options) {
	ctx, cancel := context.WithTimeout(o.hurry(), lastMetricsWithin)
	defer cancel()
	if err := o.self.Shutdown(ctx); err != nil {
		o.Log.Warn("cannot export the last metrics", "error", err)
	}
}

// seen counts events by kind, of any value.
type seen [1 << 8]uint64

// publish publishes a snapshot, if somebody reads it.
func (f *flow) publish(observing bool) {
	if f.self.Watches() {
		f.self.Publish(f.snapshot(observing))
	}
}

// snapshot returns the present counts.
func (f *flow) snapshot(observing bool) *selfmetrics.Snapshot {
	stats := f.table.Stats()
	s := &selfmetrics.Snapshot{
		At:        time.Now(),
		Observing: observing,
		Living:    stats.Living, Traces: f.table.Traces(), Waiting: stats.Deferred,
		Ended: stats.Ended, Filtered: stats.Filtered, SampledOut: stats.SampledOut, Dropped: stats.Dropped,
		Losses:  f.losses.all(),
		Reloads: f.reloaded.count, Configured: f.reloaded.last,
	}
	if f.reloads != nil {
		s.ReloadsFailed = f.reloads.failed.Load()
	}
	for _, kind := range []process.Kind{process.Fork, process.Exec, process.Exit, process.CgroupPath} {
		s.Events = append(s.Events, selfmetrics.Count{Name: kind.String(), Count: f.seen[kind]})
	}
	s.Events = append(s.Events, selfmetrics.Count{Name: "malformed", Count: f.losses.undecoded})
	byRule, unreported := f.trees.dropped()
	s.Dropped += unreported
	if f.limited != nil {
		l := f.limited()
		s.Limited = []selfmetrics.Count{
			{Name: "values_cut", Count: l.Values}, {Name: "attributes_dropped", Count: l.Attributes},
			{Name: "events_dropped", Count: l.Events}, {Name: "links_dropped", Count: l.Links},
		}
	}
	for rule, n := range f.table.DroppedBy() {
		s.Rules = append(s.Rules, selfmetrics.Count{Name: rule, Count: n + byRule[rule]})
		delete(byRule, rule)
	}
	for rule, n := range byRule {
		s.Rules = append(s.Rules, selfmetrics.Count{Name: rule, Count: n})
	}
	s.RingBytes, s.RingSize = f.tracer.Unread()
	programs, err := f.tracer.ProgramStats()
	if err != nil {
		f.log.Debug("cannot read the program statistics", "error", err)
	}
	for _, p := range programs {
		s.Programs = append(s.Programs, selfmetrics.Program{Name: p.Name, Runs: p.Runs, Time: p.Time})
	}
	return s
}
