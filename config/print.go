package config

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// YAML returns the effective configuration as a file that Parse accepts and
// takes for the same configuration, but for the headers' values: they print as
// "<redacted>".
func (c Config) YAML() []byte {
	p := &printer{}
	p.line(0, `file_format: "1.0"`)
	if len(c.Resource.Attributes) > 0 {
		p.line(0, "resource:")
		p.line(1, "attributes:")
		for _, a := range c.Resource.Attributes {
			kind, value := attributeText(a.Value)
			p.line(2, "- name: %s", yamlString(a.Name))
			p.line(3, "value: %s", value)
			p.line(3, "type: %s", kind)
		}
	}
	if c.Traces != nil {
		p.line(0, "tracer_provider:")
		p.sampler(c.Traces.Sampler)
		p.pipeline(c.Traces.Batch, c.Traces.Exporter)
	}
	if c.Logs != nil {
		p.line(0, "logger_provider:")
		p.pipeline(c.Logs.Batch, c.Logs.Exporter)
	}
	p.line(0, "distribution:")
	p.line(1, "procspan:")
	p.line(2, "service_name: %s", c.ServiceName)
	p.line(2, "expected_exits:")
	for _, name := range slices.Sorted(maps.Keys(c.ExpectedExits)) {
		p.line(3, "%s: %s", yamlText(name), c.ExpectedExits[name])
	}
	p.line(2, "capture:")
	p.line(3, "args: %s", c.Capture.Args)
	p.line(3, "args_max_bytes: %d", c.Capture.ArgsMaxBytes)
	p.line(3, "working_directory: %t", c.Capture.WorkingDirectory)
	p.line(3, "baggage: %t", c.Capture.Baggage)
	p.line(3, "redact:")
	p.line(4, "patterns: %s", expressions(c.Capture.Redact.Patterns))
	p.line(4, "allow: %s", expressions(c.Capture.Redact.Allow))
	p.line(3, "environment: %s", flow(c.Capture.Environment))
	p.line(2, "filter:")
	p.line(3, "min_duration: %s", formatDuration(c.Filter.MinDuration))
	p.line(3, "keep_errors: %t", c.Filter.KeepErrors)
	p.line(2, "traces:")
	p.line(3, "split_on: [%s]", strings.Join(c.TracePolicy.SplitOn.words(), ", "))
	p.line(3, "max_spans: %d", c.TracePolicy.MaxSpans)
	p.line(3, "max_age: %s", formatDuration(c.TracePolicy.MaxAge))
	p.line(3, "long_lived_after: %s", formatDuration(c.TracePolicy.LongLivedAfter))
	p.line(3, "join: %t", c.TracePolicy.Join)
	p.line(3, "honour_sampled: %t", c.TracePolicy.HonourSampled)
	p.line(3, "keep_errors: %t", c.TracePolicy.KeepErrors)
	p.line(2, "delivery:")
	p.line(3, "directory: %s", yamlString(c.Delivery.Directory))
	p.line(3, "max_size: %s", formatSize(c.Delivery.MaxSize))
	p.line(3, "max_age: %s", formatDuration(c.Delivery.MaxAge))
	p.line(2, "kernel:")
	p.line(3, "ring_size: %s", formatSize(int64(c.Kernel.RingSize)))
	p.line(3, "max_processes: %d", c.Kernel.MaxProcesses)
	p.line(2, "daemon:")
	p.line(3, "persist: %t", c.Daemon.Persist)
	p.line(3, "pin_directory: %s", yamlString(c.Daemon.PinDirectory))
	p.line(3, "state_directory: %s", yamlString(c.Daemon.StateDirectory))
	return p.Bytes()
}

type printer struct{ bytes.Buffer }

func (p *printer) line(depth int, format string, args ...any) {
	p.WriteString(strings.Repeat("  ", depth))
	fmt.Fprintf(p, format, args...)
	p.WriteByte('\n')
}

func (p *printer) pipeline(b Batch, o OTLPGRPC) {
	p.line(1, "processors:")
	p.line(2, "- batch:")
	p.line(4, "schedule_delay: %d", b.ScheduleDelay.Milliseconds())
	p.line(4, "export_timeout: %d", b.ExportTimeout.Milliseconds())
	p.line(4, "max_queue_size: %d", b.MaxQueueSize)
	p.line(4, "max_export_batch_size: %d", b.MaxExportBatchSize)
	p.line(4, "exporter:")
	p.line(5, "otlp_grpc:")
	scheme := "https://"
	if o.Insecure {
		scheme = "http://"
	}
	p.line(6, "endpoint: %s", yamlString(scheme+strings.Replace(o.Target, "%", "%25", 1)))
	if o.TLS != (TLS{}) {
		p.line(6, "tls:")
		for _, f := range []struct{ key, path string }{
			{"ca_file", o.TLS.CAFile}, {"cert_file", o.TLS.CertFile}, {"key_file", o.TLS.KeyFile},
		} {
			if f.path != "" {
				p.line(7, "%s: %s", f.key, yamlString(f.path))
			}
		}
	}
	if len(o.Headers) > 0 {
		p.line(6, "headers:")
		for _, h := range o.Headers {
			p.line(7, "- name: %s", yamlString(h.Name))
			p.line(8, "value: %s", yamlString(h.Value.String()))
		}
	}
	p.line(6, "compression: %s", o.Compression)
	p.line(6, "timeout: %d", o.Timeout.Milliseconds())
}

// sampler prints a sampler in its shortest form.
func (p *printer) sampler(s Sampler) {
	if s == regardless(s.Root) {
		p.line(1, "sampler: %s", shareText(s.Root))
		return
	}
	p.line(1, "sampler:")
	p.line(2, "parent_based:")
	p.line(3, "root: %s", shareText(s.Root))
	p.line(3, "remote_parent_sampled: %s", shareText(s.RemoteParentSampled))
	p.line(3, "remote_parent_not_sampled: %s", shareText(s.RemoteParentNotSampled))
}

// shareText returns the sampler that exports a share of all traces.
func shareText(share float64) string {
	switch share {
	case 0:
		return "{always_off: {}}"
	case 1:
		return "{always_on: {}}"
	}
	return "{trace_id_ratio_based: {ratio: " + strconv.FormatFloat(share, 'g', -1, 64) + "}}"
}

// attributeText returns a value's type in the schema and the value in YAML.
func attributeText(v any) (kind, text string) {
	switch v := v.(type) {
	case bool:
		return "bool", strconv.FormatBool(v)
	case int64:
		return "int", strconv.FormatInt(v, 10)
	case float64:
		return "double", strconv.FormatFloat(v, 'g', -1, 64)
	case []string:
		return "string_array", flow(v)
	case []bool:
		return "bool_array", flow(v)
	case []int64:
		return "int_array", flow(v)
	case []float64:
		return "double_array", flow(v)
	case string:
		return "string", yamlString(v)
	}
	return "string", yamlString(fmt.Sprint(v))
}

func flow[T any](values []T) string {
	texts := make([]string, len(values))
	for i, v := range values {
		_, texts[i] = attributeText(v)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

func expressions(all []*regexp.Regexp) string {
	texts := make([]string, len(all))
	for i, e := range all {
		texts[i] = e.String()
	}
	return flow(texts)
}

// yamlString writes a value in double quotes, with "$$" for "$" so that nothing
// in it is substituted.
func yamlString(s string) string { return yamlText(strings.ReplaceAll(s, "$", "$$")) }

// yamlText writes a string in double quotes. As it is, it is for a key: there
// nothing is substituted.
func yamlText(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
