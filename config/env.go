package config

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// FromEnvironment reads the OTEL_* variables, as any OpenTelemetry SDK does
// without a file. An empty variable is as good as none. Spans are exported when
// an OTLP endpoint is set or OTEL_TRACES_EXPORTER names exporters; log records, which
// repeat what the spans say, only when OTEL_LOGS_EXPORTER does or
// OTEL_EXPORTER_OTLP_LOGS_ENDPOINT is set; procspan's metrics of itself only when
// OTEL_METRICS_EXPORTER says so. Otherwise Traces, Logs or Metrics is nil and the
// variables of that exporter are not read.
//
// The variables may be meant for another program's SDK. A value that is not
// understood is ignored, as the specification asks for, and its default holds:
// ignored has these. What would make an agent useless is in err, an *Invalid;
// even then the Config can be used: it lacks the exporters that are at fault.
func FromEnvironment(env func(string) (string, bool)) (c Config, ignored []Problem, err error) {
	v := &variables{env: env}
	c = Default()
	if v.boolean(false, "OTEL_SDK_DISABLED") {
		v.fail("OTEL_SDK_DISABLED", "procspan does not run disabled (got true); do not start it, or unset the variable")
	}
	sampler := v.sampler()
	c.Resource.Attributes = v.attributes()
	c.ServiceName = defaultServiceName(c.Resource)
	spans, records := ofSignal("TRACES"), ofSignal("LOGS")
	if all := v.pipelines(v.exports("TRACES", spans("ENDPOINT")...), "OTEL_BSP_", spans, "traces"); len(all) > 0 {
		t := Traces{Sampler: sampler, Limits: DefaultTraces().Limits, Pipelines: all}
		v.options(&t.Limits, ofSpan)
		c.Traces = &t
	}
	if all := v.pipelines(v.exports("LOGS", records("ENDPOINT")[0]), "OTEL_BLRP_", records, "logs"); len(all) > 0 {
		l := Logs{Limits: DefaultLogs().Limits, Pipelines: all}
		v.options(&l.Limits, ofRecord)
		c.Logs = &l
	}
	c.Metrics = v.metrics()
	return c, v.ignored.list, v.problems.err()
}

// variables reads the environment and gathers what is wrong with it.
type variables struct {
	env               func(string) (string, bool)
	problems, ignored problems
}

// fail blames a variable that would make an agent useless.
func (v *variables) fail(name, format string, args ...any) { v.problems.once(name, format, args...) }

// ignore blames a variable that procspan can do without.
func (v *variables) ignore(name, format string, args ...any) { v.ignored.once(name, format, args...) }

// once adds a problem unless it is there: the signals share some variables.
func (p *problems) once(name, format string, args ...any) {
	problem := Problem{Path: name, Text: fmt.Sprintf(format, args...)}
	if !slices.Contains(p.list, problem) {
		p.add(func() Problem { return problem })
	}
}

// first returns the first of the variables that is set, or name "".
func (v *variables) first(names ...string) (name, value string) {
	for _, name := range names {
		value, _ := v.env(name)
		switch {
		case value == "":
		case !utf8.ValidString(value):
			v.ignore(name, "is not UTF-8 text")
			return "", ""
		default:
			return name, value
		}
	}
	return "", ""
}

// ofSignal returns the variables of an exporter's option, the signal's first.
func ofSignal(signal string) func(option string) []string {
	return func(option string) []string {
		return []string{"OTEL_EXPORTER_OTLP_" + signal + "_" + option, "OTEL_EXPORTER_OTLP_" + option}
	}
}

// parse reads a variable of the kind; nil where there is none or it is ignored.
func (v *variables) parse(k *kind, names ...string) any {
	name, text := v.first(names...)
	if name == "" {
		return nil
	}
	parsed, problem := k.parse(strings.TrimSpace(text), quote(text))
	if problem != "" {
		v.ignore(name, "%s", problem)
		return nil
	}
	return parsed
}

// options reads the options of a struct that have a variable; of returns its
// names.
func (v *variables) options(into any, of func(option string) []string) {
	root := reflect.ValueOf(into).Elem()
	for _, k := range describe(root.Type()).keys {
		name, ok := k.tag.Lookup("env")
		if !ok {
			continue
		}
		if parsed := v.parse(k.kind, of(name)...); parsed != nil {
			assign(root.FieldByIndex(k.index), parsed)
		}
	}
}

// after returns the names of the variables that begin with prefix.
func after(prefix string) func(option string) []string {
	return func(option string) []string { return []string{prefix + option} }
}

func (v *variables) boolean(def bool, names ...string) bool {
	if parsed, ok := v.parse(boolKind(), names...).(bool); ok {
		return parsed
	}
	return def
}

// word reads one of a few words, in any case; "" where there is none.
func (v *variables) word(words []string, names ...string) string {
	name, text := v.first(names...)
	word := strings.ToLower(strings.TrimSpace(text))
	switch {
	case name == "":
	case slices.Contains(words, word):
		return word
	default:
		v.ignore(name, "must be %s (got %s)", choice(words), quote(text))
	}
	return ""
}

func (v *variables) attributes() []Attribute {
	var attributes []Attribute
	if name, list := v.first("OTEL_RESOURCE_ATTRIBUTES"); name != "" {
		attributes = parseAttributeList(list, func(format string, args ...any) { v.ignore(name, format, args...) })
	}
	if name, service := v.first("OTEL_SERVICE_NAME"); name != "" {
		attributes = lastOfEach(attributeName, attributes, []Attribute{{Name: "service.name", Value: service}})
	}
	return attributes
}

// exports returns the exporters of a signal: those that OTEL_<signal>_EXPORTER names,
// else otlp where one of the endpoints is set.
func (v *variables) exports(signal string, endpoints ...string) (named []string) {
	named = v.exporters("OTEL_"+signal+"_EXPORTER", "otlp", otlpStdout, "console", "none")
	if name, _ := v.first(endpoints...); len(named) == 0 && name != "" {
		return []string{"otlp"}
	}
	return named
}

// otlpStdout is the exporter that writes OTLP's JSON to standard output.
const otlpStdout = "otlp/stdout"

// exporterNamed returns the exporter that a variable names; otlp is the one that the
// name otlp means.
func exporterNamed(name string, otlp Exporter) Exporter {
	switch name {
	case otlpStdout:
		return Exporter{File: &File{Path: Stdout}}
	case "console":
		return Exporter{Console: &Console{}}
	}
	return otlp
}

// pipelines returns those of the named exporters, without any that cannot work.
func (v *variables) pipelines(named []string, prefix string, of func(option string) []string, signal string) (all []Pipeline) {
	for i, name := range named {
		if slices.Contains(named[:i], name) || name == "none" {
			continue
		}
		p := defaultPipeline()
		p.Exporter = exporterNamed(name, p.Exporter)
		if v.pipeline(prefix, of, signal, &p) {
			all = append(all, p)
		}
	}
	return all
}

// exporters reads a list of exporters. A word that is not known is ignored
// beside one that is.
func (v *variables) exporters(variable string, words ...string) (named []string) {
	_, list := v.first(variable)
	var unknown []string
	for word := range strings.SplitSeq(list, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		switch {
		case slices.Contains(named, word):
		case slices.Contains(words, word):
			named = append(named, word)
		case word != "":
			unknown = append(unknown, word)
		}
	}
	if len(named) == 0 && len(unknown) > 0 {
		v.fail(variable, "must be %s (got %s)", choice(words), quote(list))
		return []string{"none"}
	}
	for _, word := range unknown {
		v.ignore(variable, "must be %s (got %s)", choice(words), quote(word))
	}
	return named
}

// pipeline reads a batch processor, whose variables have the prefix, and its
// exporter. false means that the exporter cannot work.
func (v *variables) pipeline(prefix string, of func(option string) []string, signal string, p *Pipeline) bool {
	b := &p.Batch
	v.options(b, after(prefix))
	if b.MaxExportBatchSize > b.MaxQueueSize {
		if name, _ := v.first(prefix + "MAX_EXPORT_BATCH_SIZE"); name != "" {
			v.ignore(name, "must not exceed the queue size, %d (got %d); lower it or raise %sMAX_QUEUE_SIZE", b.MaxQueueSize, b.MaxExportBatchSize, prefix)
		}
		b.MaxExportBatchSize = b.MaxQueueSize
	}
	return p.Exporter.OTLPGRPC == nil || v.otlp(of, signal, &p.Exporter)
}

// otlp reads the options of an exporter; of returns their variables. false means
// that it cannot work.
func (v *variables) otlp(of func(option string) []string, signal string, e *Exporter) bool {
	before := len(v.problems.list)
	name, text := v.first(of("ENDPOINT")...)
	insecure := v.boolean(false, of("INSECURE")...)
	var found endpoint
	var problem string
	switch variable, protocol := v.first(of("PROTOCOL")...); strings.ToLower(protocol) {
	case "grpc", "":
		if name != "" {
			found, problem = parseEndpoint(text)
			e.OTLPGRPC.Target = found.target
		}
	case "http/protobuf":
		*e = Exporter{OTLPHTTP: &OTLPHTTP{OTLP: defaultOTLP()}}
		if name != "" {
			found, problem = parseURL(text)
			e.OTLPHTTP.URL, e.OTLPHTTP.Socket = found.url, found.socket
		}
		if general := of("ENDPOINT")[1]; name == general && found.url != "" {
			e.OTLPHTTP.URL, _ = url.JoinPath(found.url, "v1", signal) // it was parsed
		}
		insecure = false
	default:
		v.fail(variable, "must be grpc or http/protobuf (got %s)", quote(protocol))
		return false
	}
	e.setSignal(signal)
	o := e.Common()
	if name != "" {
		o.Insecure = found.insecure(insecure)
	}
	v.options(&o.TLS, of)
	if problem != "" {
		v.fail(name, "%s", problem)
	} else {
		variables := map[string]string{"ca_file": "CERTIFICATE", "cert_file": "CLIENT_CERTIFICATE", "key_file": "CLIENT_KEY"}
		o.checkTLS(func(field, text string) {
			name, _ := v.first(of(variables[field])...)
			v.fail(name, "%s", text)
		})
	}
	if name, list := v.first(of("HEADERS")...); name != "" {
		o.Headers = parseHeaderList(list, func(format string, args ...any) { v.fail(name, format, args...) })
	}
	v.options(o, of)
	return len(v.problems.list) == before
}

// metrics reads which exporters there are, and their options; nil is none. An
// endpoint alone turns nothing on: a user who wants the spans of processes does
// not necessarily want to watch procspan.
func (v *variables) metrics() *Metrics {
	const variable = "OTEL_METRICS_EXPORTER"
	named := v.exporters(variable, "otlp", otlpStdout, "console", "prometheus", "none")
	m, all := Metrics{}, DefaultMetrics()
	periodic := slices.DeleteFunc(slices.Clone(named), func(word string) bool { return word == "prometheus" || word == "none" })
	if len(periodic) > 1 {
		v.ignore(variable, "must name at most one of otlp, otlp/stdout and console (got %s); procspan uses %s", strings.Join(periodic, ", "), periodic[0])
	}
	if r := all.Periodic; len(periodic) > 0 {
		v.options(r, after("OTEL_METRIC_EXPORT_"))
		word := v.word([]string{"cumulative", "delta", "lowmemory"}, "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE")
		if temporality, ok := map[string]Temporality{"cumulative": Cumulative, "delta": Delta, "lowmemory": LowMemory}[word]; ok {
			r.Temporality = temporality
		}
		r.Exporter = exporterNamed(periodic[0], r.Exporter)
		if r.Exporter.OTLPGRPC == nil || v.otlp(ofSignal("METRICS"), "metrics", &r.Exporter) {
			m.Periodic = r
		}
	}
	if r := all.Prometheus; slices.Contains(named, "prometheus") {
		v.options(r, after("OTEL_EXPORTER_PROMETHEUS_"))
		m.Prometheus = r
	}
	if m == (Metrics{}) {
		return nil
	}
	return &m
}
