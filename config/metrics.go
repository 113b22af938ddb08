package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// prometheusKey is the key of the pull exporter.
const prometheusKey = "prometheus/development"

// metrics reads meter_provider; nil means that it had problems.
func (s section) metrics() *Metrics {
	const cure = "give one reader, periodic or pull"
	if !s.has("readers") {
		s.missing("readers", cure)
		return nil
	}
	var m Metrics
	for i, item := range s.items("readers") {
		if item.Kind == yaml.ScalarNode && item.Tag == tagNull {
			s.w.fail(item, itemPath(s.path, "readers", i), "is empty; %s", cure)
			continue
		}
		reader := s.item("readers", i, item)
		switch periodic, pull := reader.present("periodic"), reader.present("pull"); {
		case periodic && pull:
			reader.fail("pull", "a reader is one of periodic, pull (got both); make it two readers")
		case periodic && m.Periodic != nil, pull && m.Prometheus != nil:
			s.w.fail(item, reader.path, "procspan supports one reader of each kind; remove this one")
		case periodic:
			m.Periodic = reader.periodic()
		case pull:
			m.Prometheus = reader.pull()
		case !reader.hasUnsupported():
			reader.missing("periodic", cure)
		}
	}
	return &m
}

// periodic reads the periodic metric reader at periodic.
func (s section) periodic() *PeriodicReader {
	r := DefaultMetrics().Periodic
	own := s.required("periodic", "give its exporter")
	r.Interval = own.milliseconds("interval", r.Interval, minInterval, maxDelay)
	r.Timeout = own.milliseconds("timeout", r.Timeout, time.Millisecond, maxDelay)
	exporter := own.required("exporter", "give otlp_grpc: {endpoint: "+defaultEndpoint+"}")
	if !exporter.present("otlp_grpc") && !exporter.hasUnsupported() {
		exporter.missing("otlp_grpc", "it is the one exporter there is")
	}
	otlp := exporter.section("otlp_grpc")
	otlp.otlp(&r.Exporter)
	r.Temporality = Temporality(otlp.oneOf("temporality_preference", string(r.Temporality),
		string(Cumulative), string(Delta), string(LowMemory)))
	return r
}

// pull reads the pull metric reader at pull.
func (s section) pull() *Prometheus {
	r := DefaultMetrics().Prometheus
	exporter := s.required("pull", "give its exporter").required("exporter", "give "+prometheusKey+": {port: 9464}")
	if !exporter.present(prometheusKey) && !exporter.hasUnsupported() {
		exporter.missing(prometheusKey, "it is the one exporter there is")
	}
	own := exporter.section(prometheusKey)
	if host, ok := own.text("host"); ok {
		if isHost(host) {
			r.Host = host
		} else {
			own.fail("host", "%s (got %s)", hostProblem, quote(host))
		}
	}
	r.Port = own.integer("port", r.Port, 0, maxPort)
	return r
}

const hostProblem = "must be a host name or an address, IPv6 without brackets, as in 0.0.0.0 for all of this host"

// isHost reports whether s can be listened on, as the host of an address.
func isHost(s string) bool {
	if hostName.MatchString(s) {
		return true
	}
	_, err := netip.ParseAddr(s)
	return err == nil
}

// health reads where probes are answered.
func (s section) health(h *Health) {
	text, ok := s.text("endpoint")
	if !ok || text == "" {
		return
	}
	host, port, err := net.SplitHostPort(text)
	n, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || host != "" && !isHost(host) {
		s.fail("endpoint", "must be host:port, as in localhost:13133 (got %s)", quote(text))
		return
	}
	if host == "" {
		host = "localhost"
	}
	h.Endpoint = net.JoinHostPort(host, strconv.FormatUint(n, 10))
}

// ofMetrics is what ofTraces is for traces.
func ofMetrics(option string) []string {
	return []string{"OTEL_EXPORTER_OTLP_METRICS_" + option, "OTEL_EXPORTER_OTLP_" + option}
}

// metrics reads which exporters there are to be, and their options; nil is none.
// An endpoint alone turns nothing on: that one wants the spans of its processes
// does not mean that one wants to watch procspan.
func (v *variables) metrics() *Metrics {
	const exporter = "OTEL_METRICS_EXPORTER"
	_, list := v.first(exporter)
	var m Metrics
	all := DefaultMetrics()
	for word := range strings.SplitSeq(list, ",") {
		switch strings.TrimSpace(word) {
		case "otlp":
			m.Periodic = all.Periodic
		case "prometheus":
			m.Prometheus = all.Prometheus
		case "none", "":
		default:
			v.fail(exporter, "must be one of otlp, prometheus, none, or otlp,prometheus (got %s)", quote(list))
			return nil
		}
	}
	if r := m.Periodic; r != nil {
		r.Interval = v.milliseconds(r.Interval, minInterval, maxDelay, "OTEL_METRIC_EXPORT_INTERVAL")
		r.Timeout = v.milliseconds(r.Timeout, time.Millisecond, maxDelay, "OTEL_METRIC_EXPORT_TIMEOUT")
		v.otlp(ofMetrics, &r.Exporter)
		r.Temporality = v.temporality(r.Temporality)
	}
	if r := m.Prometheus; r != nil {
		if name, host := v.first("OTEL_EXPORTER_PROMETHEUS_HOST"); name != "" {
			if isHost(host) {
				r.Host = host
			} else {
				v.fail(name, "%s (got %s)", hostProblem, quote(host))
			}
		}
		r.Port = v.integer(r.Port, 0, maxPort, "OTEL_EXPORTER_PROMETHEUS_PORT")
	}
	if m == (Metrics{}) {
		return nil
	}
	return &m
}

// temporality reads the word for it, which is not spelt as in the file.
func (v *variables) temporality(def Temporality) Temporality {
	const variable = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
	name, value := v.first(variable)
	switch {
	case name == "":
	case strings.EqualFold(value, "cumulative"):
		return Cumulative
	case strings.EqualFold(value, "delta"):
		return Delta
	case strings.EqualFold(value, "lowmemory"):
		return LowMemory
	default:
		v.fail(name, "must be one of cumulative, delta, lowmemory (got %s)", quote(value))
	}
	return def
}
