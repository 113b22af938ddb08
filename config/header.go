package config

import (
	"net/url"
	"slices"
	"strings"
)

// headerName returns the name of a header in lower case, by the rules of gRPC and HTTP.
func headerName(name string) (string, string) {
	lower := strings.ToLower(name)
	switch {
	case lower == "":
		return "", "must not be empty"
	case strings.ContainsFunc(lower, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	}):
		return "", "must have only letters, digits, '-', '_' and '.'"
	case strings.HasPrefix(lower, "grpc-"),
		slices.Contains([]string{"content-type", "content-length", "content-encoding", "transfer-encoding", "connection", "user-agent", "te", "host"}, lower):
		return "", "is set by the exporter itself (got " + quote(lower) + "); remove it"
	}
	return lower, ""
}

// headerValue never quotes the value.
func headerValue(value string) (string, string) {
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", "must be printable ASCII on one line; a line break at the end of a variable counts"
	}
	return value, ""
}

// mergeHeaders returns the headers of list and own; the latter win. A header
// without a value, as null in the file, is absent.
func mergeHeaders(list, own []Header) []Header {
	own = slices.DeleteFunc(own, func(h Header) bool { return h.Value == Secret{} })
	return lastOfEach(func(h Header) string { return h.Name }, list, own)
}

// parseHeaderList reads OTEL_EXPORTER_OTLP_HEADERS' format: "k=v,k2=v2" with
// the values percent-encoded. The last of a name counts. Problems name the
// number of the entry alone: everything else may be a secret.
func parseHeaderList(list string, fail blame) (headers []Header) {
	for i, entry := range strings.Split(list, ",") {
		if strings.TrimSpace(entry) == "" {
			continue
		}
		name, encoded, ok := strings.Cut(entry, "=")
		if !ok {
			fail("entry %d has no '='; write name=value,name2=value2 and %%2C for a comma in a value", i+1)
			continue
		}
		value, err := url.PathUnescape(strings.TrimSpace(encoded))
		if err != nil {
			fail("the value of entry %d is not percent-encoded; write %%25 for a %%", i+1)
			continue
		}
		name, badName := headerName(strings.TrimSpace(name))
		_, badValue := headerValue(value)
		switch {
		case badName != "":
			fail("the name of entry %d must have only letters, digits, '-', '_' and '.', and not be one that the exporter sets itself", i+1)
		case badValue != "":
			fail("the value of entry %d %s", i+1, badValue)
		default:
			headers = append(headers, Header{Name: name, Value: NewSecret(value)})
		}
	}
	return mergeHeaders(headers, nil)
}
