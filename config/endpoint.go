package config

import (
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// endpoint is where an OTLP exporter sends to.
type endpoint struct {
	scheme string // "http", "https" or ""
	target string // host:port
}

// insecure decides on TLS: the scheme wins over what else was said.
func (e endpoint) insecure(said bool) bool {
	switch e.scheme {
	case "http":
		return true
	case "https":
		return false
	}
	return said
}

var (
	hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]{0,252})$`)
	zoneName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,15}$`)
	scheme   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*$`)
)

const endpointCure = "; write http://host:port for plain text, https://host:port for TLS"

// parseEndpoint reads "http://host:port", "https://host:port" or "host:port".
// A problem never quotes user, password, path or query.
func parseEndpoint(s string) (endpoint, string) {
	var e endpoint
	rest := strings.TrimSpace(s)
	if rest == "" {
		return e, "must not be empty" + endpointCure
	}
	// Before anything is quoted.
	if strings.Contains(rest, "@") {
		return e, "must have no user and password (got <redacted>@…); send them as a header"
	}
	if strings.HasPrefix(strings.ToLower(rest), "unix:") {
		return e, "unix sockets are not supported" + endpointCure
	}
	if before, after, ok := strings.Cut(rest, "://"); ok {
		e.scheme, rest = strings.ToLower(before), after
		if !scheme.MatchString(e.scheme) || (e.scheme != "http" && e.scheme != "https") {
			return endpoint{}, "must have the scheme http or https (got " + quote(before) + ")" + endpointCure
		}
	}
	switch at := strings.IndexAny(rest, "/?#"); {
	case at < 0:
	case rest[at:] == "/":
		rest = rest[:at]
	case rest[at] == '/':
		return endpoint{}, "must have no path: OTLP/gRPC knows none" + endpointCure
	default:
		return endpoint{}, "must have no query or fragment" + endpointCure
	}
	host, port, problem := splitTarget(rest)
	if problem != "" {
		return endpoint{}, problem + endpointCure
	}
	e.target = net.JoinHostPort(host, port)
	return e, ""
}

// splitTarget reads "host", "host:port", "[ipv6]" or "[ipv6]:port"; the port is
// 4317 where none is given.
func splitTarget(s string) (host, port, problem string) {
	port = "4317"
	var tail string
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, tail, ok = strings.Cut(inner, "]")
		address, zone, _ := strings.Cut(strings.Replace(inner, "%25", "%", 1), "%")
		ip, err := netip.ParseAddr(address)
		if !ok || err != nil || !ip.Is6() || (strings.Contains(inner, "%") && !zoneName.MatchString(zone)) {
			return "", "", "must have an IPv6 address in its brackets (got " + quote(s) + ")"
		}
		host = address
		if zone != "" {
			host += "%" + zone
		}
	} else {
		host = s
		if at := strings.IndexByte(s, ':'); at >= 0 {
			host, tail = s[:at], s[at:]
		}
		switch {
		case strings.Count(s, ":") > 1:
			return "", "", "must have an IPv6 address in brackets, as in [::1]:4317 (got " + quote(s) + ")"
		case host == "":
			return "", "", "must have a host (got " + quote(s) + ")"
		case !hostName.MatchString(host):
			return "", "", "must have a host name or address (got " + quote(s) + ")"
		}
	}
	if tail == "" {
		return host, port, ""
	}
	port, ok := strings.CutPrefix(tail, ":")
	n, err := strconv.ParseUint(port, 10, 16)
	if !ok || err != nil || n == 0 {
		return "", "", "must have a port from 1 to 65535 (got " + quote(s) + ")"
	}
	return host, strconv.FormatUint(n, 10), ""
}
