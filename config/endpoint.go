package config

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// endpoint is where an OTLP exporter sends to.
type endpoint struct {
	scheme string // "http", "https", "unix:" or ""
	target string // host:port, or unix:/path
	url    string // of HTTP; "" is by the signal
	socket string // of HTTP; "" is by the URL
}

const unixScheme = "unix:"

// insecure decides on TLS: the scheme wins over the option.
func (e endpoint) insecure(option bool) bool {
	switch e.scheme {
	case "http", unixScheme:
		return true
	case "https":
		return false
	}
	return option
}

// target is parseEndpoint as the rule of a text.
func target(text string) (string, string) {
	e, problem := parseEndpoint(text)
	return e.target, problem
}

var (
	hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]{0,252})$`)
	zoneName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,15}$`)
	scheme   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*$`)
)

const endpointHint = "; write http://host:port for plain text, https://host:port for TLS"

// parseEndpoint reads "http://host:port", "https://host:port" or "host:port".
// A problem never quotes user, password, path or query.
func parseEndpoint(s string) (endpoint, string) {
	var e endpoint
	rest := strings.TrimSpace(s)
	if rest == "" {
		return e, "must not be empty" + endpointHint
	}
	// Before anything is quoted.
	if strings.Contains(rest, "@") {
		return e, "must have no user and password (got <redacted>@…); send them as a header"
	}
	if path, ok := strings.CutPrefix(rest, unixScheme); ok {
		path, problem := socket(path)
		return endpoint{scheme: unixScheme, target: unixScheme + path}, problem
	}
	if before, after, ok := strings.Cut(rest, "://"); ok {
		e.scheme, rest = strings.ToLower(before), after
		if !scheme.MatchString(e.scheme) || (e.scheme != "http" && e.scheme != "https") {
			return endpoint{}, "must have the scheme http or https (got " + quote(before) + ")" + endpointHint
		}
	}
	switch at := strings.IndexAny(rest, "/?#"); {
	case at < 0:
	case rest[at:] == "/":
		rest = rest[:at]
	case rest[at] == '/':
		return endpoint{}, "must have no path: OTLP/gRPC knows none" + endpointHint
	default:
		return endpoint{}, "must have no query or fragment" + endpointHint
	}
	host, port, problem := splitTarget(rest)
	if problem != "" {
		return endpoint{}, problem + endpointHint
	}
	e.target = net.JoinHostPort(host, port)
	return e, ""
}

// socket returns the path of a Unix socket, of unix:/path or unix:///path.
func socket(path string) (string, string) {
	path, problem := directory(strings.TrimPrefix(path, "//"))
	if len(path) < len("/s") || problem != "" {
		return "", "must have the absolute path of a socket, as in unix:/run/otel.sock"
	}
	return path, ""
}

const urlHint = "; write the whole URL, as in https://host:4318/v1/traces"

// parseURL reads the URL of OTLP over HTTP, or unix:/path. A problem quotes no
// user, password, path or query.
func parseURL(s string) (endpoint, string) {
	text := strings.TrimSpace(s)
	switch path, ok := strings.CutPrefix(text, unixScheme); {
	case text == "":
		return endpoint{}, "must not be empty" + urlHint
	case ok:
		path, problem := socket(path)
		return endpoint{scheme: unixScheme, socket: path}, problem
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return endpoint{}, "is not a URL" + urlHint
	case u.User != nil:
		return endpoint{}, "must have no user and password (got <redacted>@…); send them as a header"
	case u.Scheme != "http" && u.Scheme != "https":
		return endpoint{}, "must begin with http:// or https://" + urlHint
	case u.Fragment != "" || strings.Contains(text, "#"):
		return endpoint{}, "must have no fragment" + urlHint
	}
	if _, _, problem := splitTarget(u.Host); problem != "" {
		return endpoint{}, problem + urlHint
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return endpoint{scheme: u.Scheme, url: u.String()}, ""
}

// wholeURL is parseURL as the rule of a text. In a file the path is not optional:
// nothing is appended.
func wholeURL(text string) (string, string) {
	e, problem := parseURL(text)
	if u, err := url.Parse(text); problem == "" && e.socket == "" && (err != nil || u.Path == "") {
		problem = "must have a path" + urlHint
	}
	return e.url, problem
}

// quotable is an address without a word that could be a password.
var quotable = regexp.MustCompile(`^(https?://)?[]\[0-9A-Za-z._%-]*(:[0-9a-fA-F+-]{0,6}\]?)*$`)

// gotTarget quotes what may be quoted.
func gotTarget(s string) string {
	if quotable.MatchString(s) {
		return " (got " + quote(s) + ")"
	}
	return ""
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
			return "", "", "must have an IPv6 address in its brackets" + gotTarget(s)
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
			return "", "", "must have an IPv6 address in brackets, as in [::1]:4317" + gotTarget(s)
		case host == "":
			return "", "", "must have a host" + gotTarget(s)
		case !hostName.MatchString(host):
			return "", "", "must have a host name or address" + gotTarget(s)
		}
	}
	if tail == "" {
		return host, port, ""
	}
	port, ok := strings.CutPrefix(tail, ":")
	n, err := strconv.ParseUint(port, 10, 16)
	if !ok || err != nil || n == 0 {
		return "", "", "must have a port from 1 to 65535" + gotTarget(s)
	}
	return host, strconv.FormatUint(n, 10), ""
}
