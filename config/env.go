package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// FromEnvironment reads the OTEL_* variables, as any OpenTelemetry SDK does
// without a file. An empty variable is as good as none. Spans are exported when
// an OTLP endpoint is set or OTEL_TRACES_EXPORTER is otlp; log records, which
// repeat what the spans say, only when OTEL_LOGS_EXPORTER is otlp or
// OTEL_EXPORTER_OTLP_LOGS_ENDPOINT is set; procspan's metrics of itself only when
// OTEL_METRICS_EXPORTER says so. Otherwise Traces, Logs or Metrics is nil and the
// variables of that exporter are not looked at. An *Invalid has everything that
// is wrong.
func FromEnvironment(env func(string) (string, bool)) (Config, error) {
	v := &variables{env: env}
	c := Default()
	if v.boolean(false, "OTEL_SDK_DISABLED") {
		v.fail("OTEL_SDK_DISABLED", "procspan does not run disabled (got true); do not start it, or unset the variable")
	}
	sampler := v.sampler()
	c.Resource.Attributes = v.attributes()
	c.ServiceName = defaultServiceName(c.Resource)
	if v.exports("TRACES", ofTraces("ENDPOINT")...) {
		t := DefaultTraces()
		t.Sampler = sampler
		v.batch("OTEL_BSP_", &t.Batch)
		v.otlp(ofTraces, &t.Exporter)
		c.Traces = &t
	}
	if v.exports("LOGS", ofLogs("ENDPOINT")[0]) {
		l := DefaultLogs()
		v.batch("OTEL_BLRP_", &l.Batch)
		v.otlp(ofLogs, &l.Exporter)
		c.Logs = &l
	}
	c.Metrics = v.metrics()
	if err := invalid(v.problems); err != nil {
		return Config{}, err
	}
	return c, nil
}

// variables reads the environment and gathers what is wrong with it.
type variables struct {
	env      func(string) (string, bool)
	problems []Problem
}

// fail blames a variable, once: the signals share some.
func (v *variables) fail(name, format string, args ...any) {
	p := Problem{Path: name, Text: fmt.Sprintf(format, args...)}
	if !slices.Contains(v.problems, p) {
		v.problems = append(v.problems, p)
	}
}

// first returns the first of the variables that is set, or name "".
func (v *variables) first(names ...string) (name, value string) {
	for _, name := range names {
		value, _ := v.env(name)
		switch {
		case value == "":
		case !utf8.ValidString(value):
			v.fail(name, "is not UTF-8 text")
			return "", ""
		default:
			return name, value
		}
	}
	return "", ""
}

// ofTraces returns both variables of an exporter's option, that of the signal
// first.
func ofTraces(option string) []string {
	return []string{"OTEL_EXPORTER_OTLP_TRACES_" + option, "OTEL_EXPORTER_OTLP_" + option}
}

// ofLogs is the same for log records.
func ofLogs(option string) []string {
	return []string{"OTEL_EXPORTER_OTLP_LOGS_" + option, "OTEL_EXPORTER_OTLP_" + option}
}

func (v *variables) boolean(def bool, names ...string) bool {
	name, value := v.first(names...)
	switch {
	case name == "":
		return def
	case strings.EqualFold(value, "true"):
		return true
	case !strings.EqualFold(value, "false"):
		v.fail(name, "must be true or false (got %s)", quote(value))
		return def
	}
	return false
}

func (v *variables) integer(def, low, high int, name string) int {
	name, value := v.first(name)
	if name == "" {
		return def
	}
	n, err := strconv.Atoi(strings.TrimSpace(value))
	if err != nil || n < low || n > high {
		v.fail(name, "must be an integer from %d to %d (got %s)", low, high, quote(value))
		return def
	}
	return n
}

// ratio reads a number from 0 to 1.
func (v *variables) ratio(def float64, name string) float64 {
	name, value := v.first(name)
	if name == "" {
		return def
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || !isRatio(f) {
		v.fail(name, "must be a number from 0 to 1 (got %s)", quote(value))
		return def
	}
	return f
}

// milliseconds reads an integer of milliseconds.
func (v *variables) milliseconds(def, low, high time.Duration, names ...string) time.Duration {
	name, value := v.first(names...)
	if name == "" {
		return def
	}
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if err != nil || n < low.Milliseconds() || n > high.Milliseconds() {
		cure := ""
		if err == nil {
			cure = noLimit(n, low)
		}
		v.fail(name, "must be an integer from %d to %d, in milliseconds (got %s)%s", low.Milliseconds(), high.Milliseconds(), quote(value), cure)
		return def
	}
	return time.Duration(n) * time.Millisecond
}

func (v *variables) oneOf(def string, words []string, cure string, names ...string) string {
	name, value := v.first(names...)
	switch {
	case name == "":
		return def
	case !slices.Contains(words, value):
		v.fail(name, "must be %s (got %s)%s", choice(words), quote(value), cure)
		return def
	}
	return value
}

func (v *variables) attributes() []Attribute {
	var attributes []Attribute
	if name, list := v.first("OTEL_RESOURCE_ATTRIBUTES"); name != "" {
		var problems []string
		attributes, problems = parseAttributeList(list)
		for _, p := range problems {
			v.fail(name, "%s", p)
		}
	}
	if name, service := v.first("OTEL_SERVICE_NAME"); name != "" {
		attributes = lastOfEach(attributeName, attributes, []Attribute{{Name: "service.name", Value: service}})
	}
	return attributes
}

// exports reports whether a signal is to be sent: as OTEL_<signal>_EXPORTER
// says, else where one of the endpoints is set.
func (v *variables) exports(signal string, endpoints ...string) bool {
	words := []string{"otlp", "none", "console"}
	switch v.oneOf("", words, "; procspan has one exporter, otlp", "OTEL_"+signal+"_EXPORTER") {
	case "otlp":
		return true
	case "none", "console":
		return false
	}
	name, _ := v.first(endpoints...)
	return name != ""
}

// batch reads the options of a batch processor, whose variables have the prefix.
func (v *variables) batch(prefix string, b *Batch) {
	b.ScheduleDelay = v.milliseconds(b.ScheduleDelay, 0, maxDelay, prefix+"SCHEDULE_DELAY")
	b.ExportTimeout = v.milliseconds(b.ExportTimeout, time.Millisecond, maxDelay, prefix+"EXPORT_TIMEOUT")
	b.MaxQueueSize = v.integer(b.MaxQueueSize, 1, maxQueueSize, prefix+"MAX_QUEUE_SIZE")
	b.MaxExportBatchSize = min(b.MaxExportBatchSize, b.MaxQueueSize)
	b.MaxExportBatchSize = v.integer(b.MaxExportBatchSize, 1, maxQueueSize, prefix+"MAX_EXPORT_BATCH_SIZE")
	if b.MaxExportBatchSize > b.MaxQueueSize {
		v.fail(prefix+"MAX_EXPORT_BATCH_SIZE", "must not exceed the queue size, %d (got %d); lower it or raise %sMAX_QUEUE_SIZE", b.MaxQueueSize, b.MaxExportBatchSize, prefix)
	}
}

// otlp reads the options of an exporter; of returns their variables.
func (v *variables) otlp(of func(option string) []string, o *OTLPGRPC) {
	v.oneOf("grpc", []string{"grpc"}, "; procspan speaks OTLP/gRPC alone: set it to grpc and the endpoint to the gRPC port, usually 4317", of("PROTOCOL")...)
	insecure := v.boolean(false, of("INSECURE")...)
	if name, text := v.first(of("ENDPOINT")...); name != "" {
		e, problem := parseEndpoint(text)
		if problem != "" {
			v.fail(name, "%s", problem)
		}
		o.Target, o.Insecure = e.target, e.insecure(insecure)
	}
	from := map[string]string{}
	from["ca_file"], o.TLS.CAFile = v.first(of("CERTIFICATE")...)
	from["cert_file"], o.TLS.CertFile = v.first(of("CLIENT_CERTIFICATE")...)
	from["key_file"], o.TLS.KeyFile = v.first(of("CLIENT_KEY")...)
	if o.Target != "" {
		for _, p := range o.tlsProblems() {
			v.fail(from[p.field], "%s", p.text)
		}
	}
	if name, list := v.first(of("HEADERS")...); name != "" {
		var problems []string
		o.Headers, problems = parseHeaderList(list)
		for _, p := range problems {
			v.fail(name, "%s", p)
		}
	}
	o.Compression = v.oneOf(o.Compression, []string{"none", "gzip"}, "", of("COMPRESSION")...)
	o.Timeout = v.milliseconds(o.Timeout, time.Millisecond, maxDelay, of("TIMEOUT")...)
}
