package selfmetrics

import (
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/otelconv"
	"go.opentelemetry.io/otel/semconv/v1.43.0/processconv"

	"github.com/procspan/procspan/otelexport"
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

// The attributes that the semantic conventions have no name for.
const (
	attrEvent   = "procspan.event.kind"
	attrStage   = "procspan.loss.stage"
	attrReason  = "procspan.loss.reason"
	attrSignal  = "procspan.signal"
	attrOutcome = "procspan.lifetime.outcome"
	attrProgram = "procspan.bpf.program"
)

// Signal is what an exporter sends.
type Signal string

// The signals, as procspan.signal has them.
const (
	Spans      Signal = "spans"
	LogRecords Signal = "log_records"
)

// Metric describes one metric.
type Metric struct {
	Name string
	Kind Kind
	Unit string // in UCUM
	Says string // in a phrase; that of the semantic conventions where they have one
	When string // when it is there; "" is always
	// Attributes are those that its points can have.
	Attributes []attribute.Key

	// What observes its points: whole numbers or seconds. A histogram has neither.
	count   func(*reading, observe[int64])
	seconds func(*reading, observe[float64])
}

// observe takes one point.
type observe[N int64 | float64] func(value N, attributes ...attribute.KeyValue)

// named is what a metric of package semconv tells of itself.
type named interface {
	Name() string
	Unit() string
	Description() string
}

// Metrics returns all of them.
func Metrics() []Metric {
	const (
		stats = "the kernel's bpf_stats_enabled is or was set"
		sent  = "that signal is sent"
	)
	component := []attribute.Key{semconv.OTelComponentNameKey, semconv.OTelComponentTypeKey}
	exporter := append(component[:2:2], semconv.ServerAddressKey, semconv.ServerPortKey)
	outcome := append(exporter[:4:4], semconv.ErrorTypeKey)
	of := func(m named, kind Kind, attributes []attribute.Key, when string) Metric {
		return Metric{Name: m.Name(), Kind: kind, Unit: m.Unit(), Says: strings.TrimSuffix(m.Description(), "."), When: when, Attributes: attributes}
	}
	counts := func(m Metric, count func(*reading, observe[int64])) Metric {
		m.count = count
		return m
	}
	seconds := func(m Metric, seconds func(*reading, observe[float64])) Metric {
		m.seconds = seconds
		return m
	}
	own := func(name string, kind Kind, unit, says, when string, attributes ...attribute.Key) Metric {
		return Metric{Name: "procspan." + name, Kind: kind, Unit: unit, Says: says, When: when, Attributes: attributes}
	}
	return []Metric{
		counts(own("events", Counter, "{event}", "what came from the kernel: fork, exec, exit, named (the path of a cgroup), malformed", "", attrEvent), events),
		counts(own("lost", Counter, "{loss}", "what went missing, in the words of the log: in the kernel, in procspan's table, on delivery", "", attrStage, attrReason, attrSignal), lost),
		counts(own("processes.living", UpDownCounter, "{process}", "living processes that are followed", ""), living),
		counts(own("traces.living", UpDownCounter, "{trace}", "traces that have a living process", ""), traces),
		counts(own("lifetimes", Counter, "{process}", "processes that ended: ended (handed on), left_out (too short), sampled_out", "", attrOutcome), lifetimes),
		counts(own("lifetimes.waiting", UpDownCounter, "{process}", "those that wait to know what they hang on", ""), waiting),
		counts(own("ring.usage", UpDownCounter, "By", "what of the ring buffer was not read yet", ""), ringUsage),
		counts(own("ring.limit", UpDownCounter, "By", "size of the ring buffer", ""), ringLimit),
		seconds(own("loop.age", Gauge, "s", "how long ago the event loop moved; more than some seconds is a stuck agent", ""), age),
		seconds(own("bpf.run.time", Counter, "s", "time that the kernel programs ran", stats, attrProgram), runTime),
		counts(own("bpf.runs", Counter, "{run}", "how often they ran", stats, attrProgram), runs),

		counts(of(otelconv.SDKExporterSpanExportedObservable{}, Counter, outcome, sent), exported(Spans)),
		counts(of(otelconv.SDKExporterSpanInflightObservable{}, UpDownCounter, exporter, sent), inflight(Spans)),
		counts(of(otelconv.SDKProcessorSpanQueueSize{}, UpDownCounter, component, sent), queued(Spans)),
		counts(of(otelconv.SDKProcessorSpanQueueCapacity{}, UpDownCounter, component, sent), capacity(Spans)),
		counts(of(otelconv.SDKExporterLogExportedObservable{}, Counter, outcome, sent), exported(LogRecords)),
		counts(of(otelconv.SDKExporterLogInflightObservable{}, UpDownCounter, exporter, sent), inflight(LogRecords)),
		counts(of(otelconv.SDKProcessorLogQueueSize{}, UpDownCounter, component, sent), queued(LogRecords)),
		counts(of(otelconv.SDKProcessorLogQueueCapacity{}, UpDownCounter, component, sent), capacity(LogRecords)),
		counts(own("queue.usage", UpDownCounter, "By", "memory of what waits in the queue", sent, attrSignal), queueUsage),
		counts(own("store.items", UpDownCounter, "{item}", "spans or log records that wait on disk", sent, attrSignal), stored),
		of(otelconv.SDKExporterOperationDuration{}, Histogram, outcome, sent),

		seconds(of(processconv.CPUTime{}, Counter, []attribute.Key{semconv.CPUModeKey}, ""), cpuTime),
		counts(of(processconv.MemoryUsageObservable{}, UpDownCounter, nil, ""), memory),
	}
}

// What the agent's goroutine tells.

func events(r *reading, see observe[int64]) {
	for _, e := range r.snapshot.Events {
		see(int64(e.Count), attribute.String(attrEvent, e.Name))
	}
}

func lost(r *reading, see observe[int64]) {
	for _, l := range r.snapshot.Losses {
		see(int64(l.Count), attribute.String(attrStage, string(l.Stage)), attribute.String(attrReason, l.Reason))
	}
	for _, f := range r.flows {
		for _, d := range f.dropped() {
			see(int64(d.Count), attribute.String(attrStage, string(StageDelivery)), attribute.String(attrReason, d.Name),
				attribute.String(attrSignal, string(f.signal)))
		}
	}
}

func lifetimes(r *reading, see observe[int64]) {
	see(int64(r.snapshot.Ended), attribute.String(attrOutcome, "ended"))
	see(int64(r.snapshot.LeftOut), attribute.String(attrOutcome, "left_out"))
	see(int64(r.snapshot.SampledOut), attribute.String(attrOutcome, "sampled_out"))
}

func living(r *reading, see observe[int64])    { see(int64(r.snapshot.Living)) }
func traces(r *reading, see observe[int64])    { see(int64(r.snapshot.Traces)) }
func waiting(r *reading, see observe[int64])   { see(int64(r.snapshot.Waiting)) }
func ringUsage(r *reading, see observe[int64]) { see(int64(r.snapshot.RingBytes)) }
func ringLimit(r *reading, see observe[int64]) { see(int64(r.snapshot.RingSize)) }

func age(r *reading, see observe[float64]) {
	if !r.snapshot.At.IsZero() {
		see(time.Since(r.snapshot.At).Seconds())
	}
}

func runTime(r *reading, see observe[float64]) {
	for _, p := range r.snapshot.Programs {
		see(p.Time.Seconds(), attribute.String(attrProgram, p.Name))
	}
}

func runs(r *reading, see observe[int64]) {
	for _, p := range r.snapshot.Programs {
		see(int64(p.Runs), attribute.String(attrProgram, p.Name))
	}
}

// What the exporter tells.

// flow is one signal on its way.
type flow struct {
	signal    Signal
	stats     otelexport.Stats
	depth     otelexport.Depth
	exporter  []attribute.KeyValue
	processor []attribute.KeyValue
}

// dropped returns what was given up, by the reasons that the log has.
func (f flow) dropped() []Count {
	var all []Count
	for reason, n := range f.stats.Dropped.All() {
		all = append(all, Count{reason, n})
	}
	return all
}

// each returns an observer of a value of the flow of one signal.
func each(s Signal, value func(flow, observe[int64])) func(*reading, observe[int64]) {
	return func(r *reading, see observe[int64]) {
		for _, f := range r.flows {
			if f.signal == s {
				value(f, see)
			}
		}
	}
}

func exported(s Signal) func(*reading, observe[int64]) {
	return each(s, func(f flow, see observe[int64]) {
		see(int64(f.stats.Delivered), f.exporter...)
		// What never reached the exporter is lost, but not by an export.
		for _, d := range f.dropped() {
			switch d.Name {
			case "rejected", "too_large", "refused", "unsupported":
				see(int64(d.Count), append(f.exporter[:len(f.exporter):len(f.exporter)], semconv.ErrorTypeKey.String(d.Name))...)
			}
		}
	})
}

func inflight(s Signal) func(*reading, observe[int64]) {
	return each(s, func(f flow, see observe[int64]) { see(int64(f.depth.InFlight), f.exporter...) })
}

func queued(s Signal) func(*reading, observe[int64]) {
	return each(s, func(f flow, see observe[int64]) { see(int64(f.depth.Queued), f.processor...) })
}

func capacity(s Signal) func(*reading, observe[int64]) {
	return each(s, func(f flow, see observe[int64]) { see(int64(f.depth.Capacity), f.processor...) })
}

func stored(r *reading, see observe[int64]) {
	for _, f := range r.flows {
		see(int64(f.stats.Stored), attribute.String(attrSignal, string(f.signal)))
	}
}

func queueUsage(r *reading, see observe[int64]) {
	for _, f := range r.flows {
		see(int64(f.depth.Bytes), attribute.String(attrSignal, string(f.signal)))
	}
}

// What the kernel tells of procspan.

func cpuTime(r *reading, see observe[float64]) {
	see(r.own.user.Seconds(), semconv.CPUModeUser)
	see(r.own.system.Seconds(), semconv.CPUModeSystem)
}

func memory(r *reading, see observe[int64]) {
	if r.own.resident > 0 {
		see(r.own.resident)
	}
}
