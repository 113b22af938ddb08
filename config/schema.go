package config

import (
	"slices"
	"strings"
)

// shape is the set of keys a mapping of the file can have.
type shape struct {
	// known keys are read.
	known []string
	// names says that the keys are names of something, any there are.
	names bool
	// unsupported keys are part of OpenTelemetry's schema, but not of what
	// procspan can do.
	unsupported []string
	// instead is the key to use in place of an unsupported one, if any.
	instead string
}

// Mappings of the file that are more than their keys.
const (
	atRoot         = ""
	atDistribution = "distribution"                         // has other vendors' keys too
	atSampler      = "tracer_provider.sampler"              // can stand in a sampler again
	atParentBased  = "tracer_provider.sampler.parent_based" // holds samplers
)

// schema returns every mapping that is read, by where it stands. It is the one
// list of keys: the errors and the test of the reference file go by it.
func schema() map[string]shape {
	all := map[string]shape{
		atRoot: {
			known:       []string{"file_format", "disabled", "resource", "tracer_provider", "logger_provider", "distribution"},
			unsupported: []string{"log_level", "attribute_limits", "propagator", "meter_provider", "instrumentation/development"},
		},
		"resource": {
			known:       []string{"attributes", "attributes_list"},
			unsupported: []string{"schema_url", "detection/development"},
		},
		"resource.attributes[]": {known: []string{"name", "value", "type"}},
		"tracer_provider": {
			known:       []string{"processors", "sampler"},
			unsupported: []string{"limits", "id_generator", "tracer_configurator/development"},
		},
		"logger_provider": {
			known:       []string{"processors"},
			unsupported: []string{"limits", "logger_configurator/development"},
		},
		atSampler: {
			known:       samplers(),
			unsupported: []string{"composite/development", "jaeger_remote/development", "probability/development"},
			instead:     choice(samplers()),
		},
		atSampler + ".always_on":            {},
		atSampler + ".always_off":           {},
		atSampler + ".trace_id_ratio_based": {known: []string{"ratio"}},
		atParentBased: {known: []string{"root", "remote_parent_sampled", "remote_parent_not_sampled",
			"local_parent_sampled", "local_parent_not_sampled"}},
		atDistribution:                         {known: []string{"procspan"}},
		"distribution.procspan":                {known: []string{"service_name", "expected_exits", "capture", "filter", "traces", "delivery", "kernel", "daemon"}},
		"distribution.procspan.expected_exits": {names: true},
		"distribution.procspan.capture": {known: []string{"args", "args_max_bytes", "working_directory", "baggage",
			"redact", "environment"}},
		"distribution.procspan.capture.redact": {known: []string{"patterns", "allow"}},
		"distribution.procspan.filter":         {known: []string{"min_duration", "keep_errors"}},
		"distribution.procspan.traces": {known: []string{"split_on", "max_spans", "max_age", "long_lived_after", "join",
			"honour_sampled", "keep_errors"}},
		"distribution.procspan.delivery": {known: []string{"directory", "max_size", "max_age"}},
		"distribution.procspan.kernel":   {known: []string{"ring_size", "max_processes"}},
		"distribution.procspan.daemon":   {known: []string{"persist", "pin_directory", "state_directory"}},
	}
	for _, provider := range []string{"tracer_provider", "logger_provider"} {
		for at, shape := range pipelineSchema() {
			all[provider+".processors[]"+at] = shape
		}
	}
	return all
}

// pipelineSchema is what stands in the processors of each provider.
func pipelineSchema() map[string]shape {
	return map[string]shape{
		"": {known: []string{"batch"}, unsupported: []string{"simple"}, instead: "batch"},
		".batch": {known: []string{"schedule_delay", "export_timeout", "max_queue_size",
			"max_export_batch_size", "exporter"}},
		".batch.exporter": {
			known:       []string{"otlp_grpc"},
			unsupported: []string{"otlp_http", "otlp_file/development", "console", "zipkin"},
			instead:     "otlp_grpc",
		},
		".batch.exporter.otlp_grpc":           {known: []string{"endpoint", "tls", "headers", "headers_list", "compression", "timeout"}},
		".batch.exporter.otlp_grpc.tls":       {known: []string{"ca_file", "key_file", "cert_file", "insecure"}},
		".batch.exporter.otlp_grpc.headers[]": {known: []string{"name", "value"}},
	}
}

// unknown returns what to say about a key that is not known: what else was
// probably meant, or else what can stand there.
func (s shape) unknown(key string) string {
	if near := nearest(key, s.known); near != "" {
		return "unknown key; did you mean " + near + "?"
	}
	if len(s.known) == 0 {
		return "unknown key; there are none here, remove it"
	}
	return "unknown key; known here: " + strings.Join(s.known, ", ")
}

// cure returns what to do about an unsupported key.
func (s shape) cure() string {
	if s.instead != "" {
		return "use " + s.instead
	}
	return "remove it"
}

// nearest returns the candidate that key is a slip of, or "".
func nearest(key string, candidates []string) string {
	key = strings.ReplaceAll(strings.ToLower(key), "-", "_")
	best, bestCost := "", 3
	for _, c := range candidates {
		cost := distance(key, c)
		if cost < bestCost && cost*2 < len(c) {
			best, bestCost = c, cost
		}
	}
	if best != "" || len(key) < 3 {
		return best
	}
	i := slices.IndexFunc(candidates, func(c string) bool {
		return strings.HasPrefix(c, key) || strings.HasPrefix(key, c)
	})
	if i >= 0 {
		best = candidates[i]
	}
	return best
}

// distance is the Levenshtein distance, in bytes.
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substituted := diagonal
			if a[i] != b[j] {
				substituted++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j]+1, row[j+1]+1, substituted)
		}
	}
	return row[len(b)]
}
