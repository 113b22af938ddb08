package config

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
)

// rule is what a string must be.
type rule struct {
	// check returns the string as it is kept, and what is wrong with it, where
	// "{got}" stands for what was found.
	check func(text string) (kept, problem string)
	// keepsDefault: "" is as good as none.
	keepsDefault bool
	// numbers: an integer is as good as a string.
	numbers bool
	// pattern is a regular expression that the string matches, for the schema.
	pattern string
}

// textRules are the rules that tags name.
var textRules = map[string]rule{
	"":              {check: func(text string) (string, string) { return text, "" }},
	"name":          {check: notEmpty("")},
	"file":          {check: notEmpty("; name a PEM file or remove the key")},
	"format":        {check: formatVersion, pattern: `^1\.[0-9]{1,3}$`},
	"directory":     {check: directory, pattern: `^(/|$)`},
	"own directory": {check: ownDirectory, pattern: `^(/|$)`, keepsDefault: true},
	"user":          {check: userName, numbers: true, pattern: `^[^:\s]+$`},
	"variable":      {check: variableName, pattern: `^[^=\x00]{1,64}$`},
	"host":          {check: host},
	"address":       {check: address},
	"endpoint":      {check: target},
	"url":           {check: wholeURL, pattern: `^(https?://[^/]+/|unix:)`},
	"stream":        {check: stream, pattern: `^(stdout$|file://)`},
	"header name":   {check: headerName, pattern: `^[A-Za-z0-9._-]+$`},
	"header value":  {check: headerValue},
}

func textRule(name string) rule {
	r, ok := textRules[name]
	if !ok {
		panic("config: no rule for text " + strconv.Quote(name))
	}
	return r
}

func notEmpty(hint string) func(string) (string, string) {
	return func(text string) (string, string) {
		if text == "" {
			return "", "must not be empty" + hint
		}
		return text, ""
	}
}

func formatVersion(text string) (string, string) {
	if minor, ok := strings.CutPrefix(text, "1."); ok && len(minor) <= 3 {
		if _, err := strconv.ParseUint(minor, 10, 16); err == nil {
			return text, ""
		}
	}
	return "", `must be a released version 1.x of the format (got {got}); write "1.0"`
}

// directory is an absolute path, kept in its shortest form; "" is none.
func directory(path string) (string, string) {
	switch {
	case path == "":
		return "", ""
	case strings.ContainsRune(path, 0):
		return "", "must be a path without NUL (got {got})"
	case !filepath.IsAbs(path):
		return "", "must be an absolute path, as in /var/lib/procspan (got {got})"
	}
	return filepath.Clean(path), ""
}

// stream is stdout, or file:// and the absolute path of a file, kept as the path.
func stream(text string) (string, string) {
	path, ok := strings.CutPrefix(text, "file://")
	switch clean, problem := directory(path); {
	case text == Stdout:
		return text, ""
	case !ok || problem != "" || path == "" || clean == "/" || strings.HasSuffix(path, "/"):
		return "", "must be stdout, or the absolute path of a file, as in file:///var/log/procspan/traces.jsonl (got {got})"
	default:
		return clean, ""
	}
}

// ownDirectory is the absolute path of a directory that is procspan's alone.
func ownDirectory(path string) (string, string) {
	path, problem := directory(path)
	if problem == "" && path != "" && filepath.Dir(path) == path {
		return "", "must be a directory of procspan's own (got {got})"
	}
	return path, problem
}

const (
	maxVariableName = 64  // bytes; the BPF programs' limit
	maxFileName     = 255 // bytes; the kernel's limit
)

func variableName(name string) (string, string) {
	switch {
	case name == "":
		return "", "must not be empty"
	case len(name) > maxVariableName:
		return "", fmt.Sprintf("must be %d bytes at most (got %d, {got})", maxVariableName, len(name))
	case strings.ContainsAny(name, "=\x00"):
		return "", "must be a variable's name alone, without '=' and NUL (got {got})"
	}
	return name, ""
}

func userName(name string) (string, string) {
	if name == "" || strings.ContainsAny(name, ": \t\n") {
		return "", "must be a user's name or number (got {got})"
	}
	return name, ""
}

// host is one that can be listened on: a name, or an address without brackets.
func host(s string) (string, string) {
	if hostName.MatchString(s) {
		return s, ""
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return s, ""
	}
	return "", "must be a host name or an address, IPv6 without brackets, as in 0.0.0.0 for all of this host (got {got})"
}

// address is host:port to listen on; "" is none, and no host is localhost.
func address(text string) (string, string) {
	if text == "" {
		return "", ""
	}
	name, port, err := net.SplitHostPort(text)
	if name == "" {
		name = "localhost"
	}
	n, portErr := strconv.ParseUint(port, 10, 16)
	if _, problem := host(name); err != nil || portErr != nil || problem != "" {
		return "", "must be host:port, as in localhost:13133" + gotTarget(text)
	}
	return net.JoinHostPort(name, strconv.FormatUint(n, 10)), ""
}
