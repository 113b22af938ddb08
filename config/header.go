package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// newHeader checks a header by the rules of gRPC. A problem comes with an
// empty header where the name is to blame. It never quotes the value.
func newHeader(name, value string) (Header, string) {
	lower := strings.ToLower(name)
	switch {
	case lower == "":
		return Header{}, "must not be empty"
	case strings.ContainsFunc(lower, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	}):
		return Header{}, "a header's name has only letters, digits, '-', '_' and '.'"
	case strings.HasPrefix(lower, "grpc-"),
		slices.Contains([]string{"content-type", "user-agent", "te", "host"}, lower):
		return Header{}, "is set by gRPC itself (got " + quote(lower) + "); remove it"
	}
	h := Header{Name: lower, Value: Secret(value)}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		return h, "must be printable ASCII on one line; a line break at the end of a variable counts too"
	}
	return h, ""
}

// parseHeaderList reads OTEL_EXPORTER_OTLP_HEADERS' format: "k=v,k2=v2" with
// the values percent-encoded. The last of a name counts. Problems name the
// number of the entry alone: everything else may be a secret.
func parseHeaderList(list string) (headers []Header, problems []string) {
	for i, entry := range strings.Split(list, ",") {
		if strings.TrimSpace(entry) == "" {
			continue
		}
		name, encoded, ok := strings.Cut(entry, "=")
		if !ok {
			problems = append(problems, fmt.Sprintf("entry %d has no '='; write name=value,name2=value2 and %%2C for a comma in a value", i+1))
			continue
		}
		value, err := url.PathUnescape(strings.TrimSpace(encoded))
		if err != nil {
			problems = append(problems, fmt.Sprintf("the value of entry %d is not percent-encoded; write %%25 for a %%", i+1))
			continue
		}
		h, problem := newHeader(strings.TrimSpace(name), value)
		switch {
		case problem != "" && h.Name == "":
			problems = append(problems, fmt.Sprintf("entry %d has a name that cannot be: no letters, digits, '-', '_' and '.' alone, or gRPC's own", i+1))
		case problem != "":
			problems = append(problems, fmt.Sprintf("the value of entry %d %s", i+1, problem))
		default:
			headers = append(headers, h)
		}
	}
	return lastOfEach(headerName, headers), problems
}

func headerName(h Header) string { return h.Name }
