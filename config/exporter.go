package config

import (
	"crypto/sha256"
	"fmt"
	"net/url"
	"strings"
)

// check holds that a batch fits into the queue. A short queue makes the default
// batch shorter; a batch size that was given must fit.
func (b *Batch) check(s section) {
	if b.MaxExportBatchSize <= b.MaxQueueSize {
		return
	}
	if s.has("max_export_batch_size") {
		s.fail("max_export_batch_size", "must not exceed max_queue_size, %d (got %d)", b.MaxQueueSize, b.MaxExportBatchSize)
	}
	b.MaxExportBatchSize = b.MaxQueueSize
}

// SpanPipelines and LogPipelines return the pipelines of a signal.
func (c *Config) SpanPipelines() []Pipeline {
	if c.Traces == nil {
		return nil
	}
	return c.Traces.Pipelines
}

func (c *Config) LogPipelines() []Pipeline {
	if c.Logs == nil {
		return nil
	}
	return c.Logs.Pipelines
}

// Common returns what the exporters over a network have in common. For the others it
// is empty.
func (e Exporter) Common() *OTLP {
	switch {
	case e.OTLPHTTP != nil:
		return &e.OTLPHTTP.OTLP
	case e.OTLPGRPC != nil:
		return &e.OTLPGRPC.OTLP
	}
	return &OTLP{}
}

// Target returns where the exporter sends to: host:port, unix:/path, the path of a
// file, stdout or console.
func (e Exporter) Target() string {
	switch {
	case e.File != nil:
		return e.File.Path
	case e.Console != nil:
		return "console"
	case e.OTLPHTTP == nil:
		return e.OTLPGRPC.Target
	case e.OTLPHTTP.Socket != "":
		return "unix:" + e.OTLPHTTP.Socket
	}
	u, err := url.Parse(e.OTLPHTTP.URL)
	switch {
	case err != nil:
		return ""
	case u.Port() != "":
		return u.Host
	case u.Scheme == "https":
		return u.Host + ":443"
	}
	return u.Host + ":80"
}

// Kind returns the exporter's key in the file, without a suffix for its maturity.
func (e Exporter) Kind() string {
	switch {
	case e.OTLPHTTP != nil:
		return "otlp_http"
	case e.File != nil:
		return "otlp_file"
	case e.Console != nil:
		return "console"
	}
	return "otlp_grpc"
}

// Key tells exporters apart that send to different places. It is the same in every
// run, and no secret can be read from it.
func (e Exporter) Key() string {
	key := e.Kind() + " " + e.Target()
	if e.OTLPHTTP != nil {
		key += fmt.Sprintf(" %x", sha256.Sum256([]byte(e.OTLPHTTP.URL)))
	}
	return key
}

// setSignal completes the URL, which differs by signal.
func (e *Exporter) setSignal(signal string) {
	switch h := e.OTLPHTTP; {
	case h == nil || h.URL != "":
	case h.Socket != "":
		h.URL = "http://localhost/v1/" + signal
	default:
		h.URL = defaultHTTP + "/v1/" + signal
	}
}

func (t *Traces) check(section) { setSignal(t.Pipelines, "traces") }
func (l *Logs) check(section)   { setSignal(l.Pipelines, "logs") }

func (r *PeriodicReader) check(section) { r.Exporter.setSignal("metrics") }

func setSignal(pipelines []Pipeline, signal string) {
	for i := range pipelines {
		pipelines[i].Exporter.setSignal(signal)
	}
}

// check decides on TLS.
func (o *OTLPGRPC) check(s section) {
	known := true // an endpoint that could not be read says nothing about TLS
	if text, ok := s.text("endpoint"); ok {
		e, problem := parseEndpoint(text)
		o.Insecure, known = e.insecure(s.section("tls").isTrue("insecure")), problem == ""
	}
	o.OTLP.check(s, known)
}

// check decides on TLS and on the socket.
func (o *OTLPHTTP) check(s section) {
	known := true
	if text, ok := s.text("endpoint"); ok {
		e, problem := parseURL(text)
		o.URL, o.Socket, o.Insecure, known = e.url, e.socket, e.insecure(false), problem == ""
	}
	o.OTLP.check(s, known)
}

// check merges the headers, and compares TLS with the endpoint where that is known.
func (o *OTLP) check(s section, known bool) {
	if known {
		o.checkTLS(func(field, text string) { s.section("tls").fail(field, "%s", text) })
	}
	var list []Header
	if text, ok := s.text("headers_list"); ok {
		list = parseHeaderList(text, s.blame("headers_list"))
	}
	o.Headers = mergeHeaders(list, o.Headers)
}

func (f *File) printed(key string) string {
	if key == "output_stream" && f.Path != Stdout {
		return yamlString("file://" + f.Path)
	}
	return ""
}

// printed prints the endpoint with its scheme.
func (o *OTLPGRPC) printed(key string) string {
	scheme := "https://"
	switch {
	case key != "endpoint":
		return ""
	case strings.HasPrefix(o.Target, unixScheme):
		scheme = ""
	case o.Insecure:
		scheme = "http://"
	}
	return yamlString(scheme + strings.Replace(o.Target, "%", "%25", 1))
}

func (o *OTLPHTTP) printed(key string) string {
	if key != "endpoint" || o.Socket == "" {
		return ""
	}
	return yamlString(unixScheme + o.Socket)
}
