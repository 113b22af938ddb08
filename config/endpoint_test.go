package config

import "testing"

func TestParseEndpoint(t *testing.T) {
	for _, tt := range []struct {
		in, target string
		said, want bool // insecure
	}{
		{"http://localhost:4317", "localhost:4317", false, true},
		{"https://localhost:4317", "localhost:4317", true, false},
		{"HTTP://Localhost", "Localhost:4317", false, true},
		{"https://otel.example.com", "otel.example.com:4317", false, false},
		{"https://otel.example.com/", "otel.example.com:4317", false, false},
		{"localhost:1", "localhost:1", false, false},
		{"localhost:1", "localhost:1", true, true},
		{"otel_collector", "otel_collector:4317", false, false},
		{"127.0.0.1:65535", "127.0.0.1:65535", false, false},
		{"http://[::1]", "[::1]:4317", false, true},
		{"[2001:db8::1]:55", "[2001:db8::1]:55", true, true},
		{"http://[fe80::1%25eth0]:1", "[fe80::1%eth0]:1", false, true},
		{"http://[fe80::1%eth0]:1", "[fe80::1%eth0]:1", false, true},
		{" http://a:1 ", "a:1", false, true},
		{"a:0080", "a:80", false, false},
	} {
		e, problem := parseEndpoint(tt.in)
		if problem != "" || e.target != tt.target || e.insecure(tt.said) != tt.want {
			t.Errorf("parseEndpoint(%q) = %q, insecure %t, problem %q; want %q, %t",
				tt.in, e.target, e.insecure(tt.said), problem, tt.target, tt.want)
		}
	}
}

func TestParseEndpointProblems(t *testing.T) {
	got := ""
	for _, in := range []string{
		"", " ", "http://", "https://:4317", ":4317", "a:", "a:b", "a:0", "a:65536", "a:-1", "a:+1", "a:1:2",
		"::1", "[::1", "[::1]x", "[::1]:", "[1.2.3.4]", "[]", "[::1%]", "[::1%a b]", "a b", "a\nb", "é", "-a",
		"http://a/v1/traces", "http://a:1//", "http://a?x", "http://a#x", "http://u@a", "u:p@a",
		"unix:///run/otel.sock", "unix:otel.sock", "grpc://a", "dns:///a", "://a", "http:/a", "http:a",
	} {
		e, problem := parseEndpoint(in)
		if problem == "" {
			t.Errorf("parseEndpoint(%q) = %+v, want a problem", in, e)
		}
		got += quote(in) + ": " + problem + "\n"
	}
	golden(t, "testdata/endpoint-problems.txt", got)
}
