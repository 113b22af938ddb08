package selfmetrics

import (
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/otelconv"
	"go.opentelemetry.io/otel/semconv/v1.43.0/processconv"

	"github.com/procspan/procspan/otelexport/deliver"
)

// Kind is the kind of an instrument.
type Kind string

// The kinds there are.
const (
	Counter       Kind = "counter"       // only grows
	UpDownCounter Kind = "updowncounter" // grows and shrinks; adds up over hosts
	Gauge         Kind = "gauge"         // does not add up
	Histogram     Kind = "histogram"
)

// Attributes without a name in the semantic conventions.
const (
	attrEvent   = "procspan.event.kind"
	attrStage   = "procspan.loss.stage"
	attrReason  = "procspan.loss.reason"
	attrSignal  = "procspan.signal"
	attrOutcome = "procspan.lifetime.outcome"
	attrProgram = "procspan.bpf.program"
	attrLimited = "procspan.limited.kind"
	attrRule    = "procspan.rule"
	attrResult  = "procspan.reload.result"
)

// Signal is what an exporter sends.
type Signal string

// The signals, as values of procspan.signal.
const (
	Spans      Signal = "spans"
	LogRecords Signal = "log_records"
)

// Metric describes one metric.
type Metric struct {
	Name string
	Kind Kind
	Unit string // in UCUM
	// Description is a phrase, from the semantic conventions if they have the metric.
	Description string
	When        string // the metric exists only then; "" is always
	// Attributes are those its points can have.
	Attributes []attribute.Key

	// observe observes its points: integers, unless the unit is seconds. A histogram has
	// none.
	observe func(*reading, point)
}

// point takes one point.
type point func(value float64, attributes ...attribute.KeyValue)

// convention is a metric of package semconv.
type convention interface {
	Name() string
	Unit() string
	Description() string
}

// Metrics returns all of them.
func Metrics() []Metric {
	const (
		stats = "the kernel's bpf_stats_enabled is or was set"
		sent  = "that signal is exported"
	)
	component := []attribute.Key{semconv.OTelComponentNameKey, semconv.OTelComponentTypeKey}
	exporter := append(component[:2:2], semconv.ServerAddressKey, semconv.ServerPortKey)
	outcome := append(exporter[:4:4], semconv.ErrorTypeKey)
	of := func(m convention, kind Kind, attributes []attribute.Key, when string, observe func(*reading, point)) Metric {
		return Metric{m.Name(), kind, m.Unit(), strings.TrimSuffix(m.Description(), "."), when, attributes, observe}
	}
	own := func(name string, kind Kind, unit, description, when string, observe func(*reading, point), attributes ...attribute.Key) Metric {
		return Metric{"procspan." + name, kind, unit, description, when, attributes, observe}
	}
	return []Metric{
		own("events", Counter, "{event}", "records from the kernel: fork, exec, exit, cgroup_path, malformed", "", counts(attrEvent, func(s *Snapshot) []Count { return s.Events }), attrEvent),
		own("lost", Counter, "{loss}", "events, processes, spans and log records lost or dropped, by stage and by reason as in the log", "", lost, attrStage, attrReason, attrSignal, semconv.OTelComponentNameKey),
		own("processes.living", UpDownCounter, "{process}", "running processes being followed", "", one(func(s *Snapshot) int { return s.Living })),
		own("traces.living", UpDownCounter, "{trace}", "traces with a running process", "", one(func(s *Snapshot) int { return s.Traces })),
		own("lifetimes", Counter, "{process}", "processes that ended: ended (exported), filtered (shorter than filter.min_duration), dropped (by rules), sampled_out", "", counts(attrOutcome, lifetimes), attrOutcome),
		own("rules.dropped", Counter, "{process}", "processes that rules dropped, by the rule that decided", "a rule has dropped one", counts(attrRule, func(s *Snapshot) []Count { return s.Rules }), attrRule),
		own("lifetimes.waiting", UpDownCounter, "{process}", "ended processes that wait until their parent span is known", "", one(func(s *Snapshot) int { return s.Waiting })),
		own("limited", Counter, "{item}", "what limits took away from spans and log records: values_cut, attributes_dropped, events_dropped, links_dropped", "a signal is exported", counts(attrLimited, func(s *Snapshot) []Count { return s.Limited }), attrLimited),
		own("ring.usage", UpDownCounter, "By", "unread bytes of the ring buffer", "", one(func(s *Snapshot) int { return s.RingBytes })),
		own("ring.limit", UpDownCounter, "By", "size of the ring buffer", "", one(func(s *Snapshot) int { return s.RingSize })),
		own("loop.age", Gauge, "s", "time since the event loop last moved; more than a few seconds mean a stuck agent", "", age),
		own("config.reloads", Counter, "{reload}", "readings of the configuration file on SIGHUP: applied, failed (nothing changed)", "", counts(attrResult, reloads), attrResult),
		own("config.time", Gauge, "s", "Unix time from which the configuration file in force applies: of the start, or of the last reload that was applied", "", configTime),
		own("bpf.run.time", Counter, "s", "run time of the BPF programs", stats, runTime, attrProgram),
		own("bpf.runs", Counter, "{run}", "runs of the BPF programs", stats, runs, attrProgram),

		of(otelconv.SDKExporterSpanExportedObservable{}, Counter, outcome, sent, exported(Spans)),
		of(otelconv.SDKExporterSpanInflightObservable{}, UpDownCounter, exporter, sent, inflight(Spans)),
		of(otelconv.SDKProcessorSpanQueueSize{}, UpDownCounter, component, sent, queued(Spans)),
		of(otelconv.SDKProcessorSpanQueueCapacity{}, UpDownCounter, component, sent, capacity(Spans)),
		of(otelconv.SDKExporterLogExportedObservable{}, Counter, outcome, sent, exported(LogRecords)),
		of(otelconv.SDKExporterLogInflightObservable{}, UpDownCounter, exporter, sent, inflight(LogRecords)),
		of(otelconv.SDKProcessorLogQueueSize{}, UpDownCounter, component, sent, queued(LogRecords)),
		of(otelconv.SDKProcessorLogQueueCapacity{}, UpDownCounter, component, sent, capacity(LogRecords)),
		own("queue.usage", UpDownCounter, "By", "memory of the items in the queue; the exporters of a signal share it", sent, queueUsage, attrSignal, semconv.OTelComponentNameKey),
		own("store.items", UpDownCounter, "{item}", "spans or log records stored on disk", sent, stored, attrSignal, semconv.OTelComponentNameKey),
		of(otelconv.SDKExporterOperationDuration{}, Histogram, outcome, sent, nil),

		of(processconv.CPUTime{}, Counter, []attribute.Key{semconv.CPUModeKey}, "", cpuTime),
		of(processconv.MemoryUsageObservable{}, UpDownCounter, nil, "", memory),
	}
}

// Values of the agent's Snapshot.

// counts observes counts by an attribute.
func counts(by string, of func(*Snapshot) []Count) func(*reading, point) {
	return func(r *reading, see point) {
		for _, c := range of(r.snapshot) {
			see(float64(c.Count), attribute.String(by, c.Name))
		}
	}
}

func lost(r *reading, see point) {
	for _, l := range r.snapshot.Losses {
		see(float64(l.Count), attribute.String(attrStage, string(l.Stage)), attribute.String(attrReason, l.Reason))
	}
	for _, f := range r.flows {
		for why, n := range f.stats.Dropped {
			see(float64(n), attribute.String(attrStage, string(StageDelivery)), attribute.String(attrReason, deliver.Reason(why).String()),
				attribute.String(attrSignal, string(f.signal)), f.name())
		}
	}
}

func lifetimes(s *Snapshot) []Count {
	return []Count{{"ended", s.Ended}, {"filtered", s.Filtered}, {"sampled_out", s.SampledOut}, {"dropped", s.Dropped}}
}

// one observes one number.
func one(number func(*Snapshot) int) func(*reading, point) {
	return func(r *reading, see point) { see(float64(number(r.snapshot))) }
}

func age(r *reading, see point) {
	if !r.snapshot.At.IsZero() {
		see(time.Since(r.snapshot.At).Seconds())
	}
}

func reloads(s *Snapshot) []Count {
	return []Count{{"applied", s.Reloads}, {"failed", s.ReloadsFailed}}
}

func configTime(r *reading, see point) {
	if at := r.snapshot.Configured; !at.IsZero() {
		see(float64(at.UnixNano()) / 1e9)
	}
}

func runTime(r *reading, see point) {
	for _, p := range r.snapshot.Programs {
		see(p.Time.Seconds(), attribute.String(attrProgram, p.Name))
	}
}

func runs(r *reading, see point) {
	for _, p := range r.snapshot.Programs {
		see(float64(p.Runs), attribute.String(attrProgram, p.Name))
	}
}

// Values of the exporter.

// flow is the delivery by one exporter.
type flow struct {
	signal    Signal
	stats     deliver.Stats
	depth     deliver.Depth
	exporter  []attribute.KeyValue
	processor []attribute.KeyValue
}

// name is the exporter's, of which a signal can have several.
func (f *flow) name() attribute.KeyValue { return f.exporter[1] }

// each returns an observer of a value of one signal's flows.
func each(s Signal, value func(flow, point)) func(*reading, point) {
	return func(r *reading, see point) {
		for _, f := range r.flows {
			if f.signal == s {
				value(f, see)
			}
		}
	}
}

func exported(s Signal) func(*reading, point) {
	return each(s, func(f flow, see point) {
		see(float64(f.stats.Delivered), f.exporter...)
		// Drops before the export are not failed exports.
		for why, n := range f.stats.Dropped {
			if why := deliver.Reason(why); why.AfterSend() {
				see(float64(n), append(f.exporter[:len(f.exporter):len(f.exporter)], semconv.ErrorTypeKey.String(why.String()))...)
			}
		}
	})
}

func inflight(s Signal) func(*reading, point) {
	return each(s, func(f flow, see point) { see(float64(f.depth.InFlight), f.exporter...) })
}

func queued(s Signal) func(*reading, point) {
	return each(s, func(f flow, see point) { see(float64(f.depth.Queued), f.processor...) })
}

func capacity(s Signal) func(*reading, point) {
	return each(s, func(f flow, see point) { see(float64(f.depth.Capacity), f.processor...) })
}

func stored(r *reading, see point) {
	for _, f := range r.flows {
		see(float64(f.stats.Stored), attribute.String(attrSignal, string(f.signal)), f.name())
	}
}

func queueUsage(r *reading, see point) {
	for _, f := range r.flows {
		see(float64(f.depth.Bytes), attribute.String(attrSignal, string(f.signal)), f.name())
	}
}

// Values from the kernel about procspan.

func cpuTime(r *reading, see point) {
	see(r.own.user.Seconds(), semconv.CPUModeUser)
	see(r.own.system.Seconds(), semconv.CPUModeSystem)
}

func memory(r *reading, see point) {
	if r.own.resident > 0 {
		see(float64(r.own.resident))
	}
}
