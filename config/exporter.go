package config

import (
	"slices"
	"time"

	"go.yaml.in/yaml/v4"
)

// traces reads tracer_provider; nil means that it had problems.
func (s section) traces() *Traces {
	t := DefaultTraces()
	t.Sampler = s.sampler("sampler", t.Sampler)
	if !s.pipeline(&t.Batch, &t.Exporter) {
		return nil
	}
	return &t
}

// logs reads logger_provider; nil means that it had problems.
func (s section) logs() *Logs {
	l := DefaultLogs()
	if !s.pipeline(&l.Batch, &l.Exporter) {
		return nil
	}
	return &l
}

// pipeline reads the processors of a provider: one batch processor with an
// otlp_grpc exporter. false means that there is none, which has been blamed.
func (s section) pipeline(b *Batch, o *OTLPGRPC) bool {
	const cure = "give one batch processor with an otlp_grpc exporter"
	if !s.has("processors") {
		s.missing("processors", cure)
		return false
	}
	items := s.items("processors")
	if len(items) == 0 {
		return false
	}
	for i, extra := range items[1:] {
		s.w.fail(extra, itemPath(s.path, "processors", i+1), "procspan supports one processor; remove this one")
	}
	if n := items[0]; n.Kind == yaml.ScalarNode && n.Tag == tagNull {
		s.w.fail(n, itemPath(s.path, "processors", 0), "is empty; %s", cure)
		return false
	}
	batch := s.item("processors", 0, items[0]).required("batch", cure)
	exporter := batch.required("exporter", "give otlp_grpc: {endpoint: "+defaultEndpoint+"}")
	if exporter.fields == nil {
		return false
	}
	batch.batch(b)
	if !exporter.present("otlp_grpc") && !exporter.hasUnsupported() {
		exporter.missing("otlp_grpc", "it is the one exporter there is")
	}
	exporter.section("otlp_grpc").otlp(o)
	return true
}

// required reads the mapping at key and blames its absence, unless something
// unsupported stands in its place, which is blamed already.
func (s section) required(key, cure string) section {
	if !s.has(key) && !s.hasUnsupported() {
		s.missing(key, cure)
	}
	return s.section(key)
}

// present reports whether key is there, be it null.
func (s section) present(key string) bool {
	if s.fields == nil {
		return false
	}
	for i := 0; i+1 < len(s.node.Content); i += 2 {
		if s.node.Content[i].Value == key {
			return true
		}
	}
	return false
}

// hasUnsupported reports whether a key stands here that has been blamed.
func (s section) hasUnsupported() bool {
	if s.fields == nil {
		return false
	}
	for i := 0; i+1 < len(s.node.Content); i += 2 {
		if !slices.Contains(s.known, s.node.Content[i].Value) {
			return true
		}
	}
	return false
}

func (s section) batch(b *Batch) {
	b.ScheduleDelay = s.milliseconds("schedule_delay", b.ScheduleDelay, 0, maxDelay)
	b.ExportTimeout = s.milliseconds("export_timeout", b.ExportTimeout, time.Millisecond, maxDelay)
	b.MaxQueueSize = s.integer("max_queue_size", b.MaxQueueSize, 1, maxQueueSize)
	// A short queue makes the default batch shorter; a batch that was asked
	// for must fit.
	b.MaxExportBatchSize = min(b.MaxExportBatchSize, b.MaxQueueSize)
	b.MaxExportBatchSize = s.integer("max_export_batch_size", b.MaxExportBatchSize, 1, maxQueueSize)
	if b.MaxExportBatchSize > b.MaxQueueSize {
		s.fail("max_export_batch_size", "must not exceed max_queue_size, %d (got %d)", b.MaxQueueSize, b.MaxExportBatchSize)
	}
}

func (s section) otlp(o *OTLPGRPC) {
	tls := s.section("tls")
	insecure := tls.boolean("insecure", false)
	if text, ok := s.text("endpoint"); ok {
		e, problem := parseEndpoint(text)
		if problem != "" {
			s.fail("endpoint", "%s", problem)
		}
		o.Target, o.Insecure = e.target, e.insecure(insecure)
	}
	o.TLS = TLS{CAFile: tls.file("ca_file"), CertFile: tls.file("cert_file"), KeyFile: tls.file("key_file")}
	// An endpoint that could not be read says nothing about TLS.
	if o.Target != "" {
		for _, p := range o.tlsProblems() {
			tls.fail(p.field, "%s", p.text)
		}
	}
	o.Headers = s.headers()
	o.Compression = s.oneOf("compression", o.Compression, "none", "gzip")
	o.Timeout = s.milliseconds("timeout", o.Timeout, time.Millisecond, maxDelay)
}

// file reads the path of a PEM file.
func (s section) file(key string) string {
	path, ok := s.text(key)
	if ok && path == "" {
		s.fail(key, "must not be empty; name a PEM file or remove the key")
	}
	return path
}

// headers reads headers and headers_list; the former win.
func (s section) headers() []Header {
	var list, own []Header
	if text, ok := s.text("headers_list"); ok {
		var problems []string
		list, problems = parseHeaderList(text)
		for _, p := range problems {
			s.fail("headers_list", "%s", p)
		}
	}
	given := make(map[string]bool)
	for i, item := range s.items("headers") {
		h := s.item("headers", i, item)
		name, ok := h.text("name")
		if !h.has("name") {
			h.missing("name", "give the header's name")
		}
		if !h.present("value") {
			h.missing("value", "give the header's value, as in value: ${TOKEN}")
		}
		// A null value leaves the header away: the schema has it so.
		value, valued := h.text("value")
		if !ok || !valued {
			continue
		}
		header, problem := newHeader(name, value)
		switch {
		case problem != "":
			h.fail(problemField(header.Name), "%s", problem)
		case given[header.Name]:
			h.fail("name", "is given twice (got %s)", quote(name))
		default:
			own = append(own, header)
			given[header.Name] = true
		}
	}
	return lastOfEach(headerName, list, own)
}

// problemField says which half of a header is to blame: newHeader returns no
// name where the name is.
func problemField(name string) string {
	if name == "" {
		return "name"
	}
	return "value"
}
