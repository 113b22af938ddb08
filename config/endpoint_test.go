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
		{"unix:/run/otel.sock", "unix:/run/otel.sock", false, true},
		{"unix:///run/otel.sock", "unix:/run/otel.sock", false, true},
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
		"unix:", "unix:///", "unix:otel.sock", "grpc://a", "dns:///a", "://a", "http:/a", "http:a",
	} {
		e, problem := parseEndpoint(in)
		if problem == "" {
			t.Errorf("parseEndpoint(%q) = %+v, want a problem", in, e)
		}
		got += quote(in) + ": " + problem + "\n"
	}
	golden(t, "testdata/endpoint-problems.txt", got)
}

func TestParseURL(t *testing.T) {
	for _, tt := range []struct {
		in, url, socket string
		insecure        bool
	}{
		{"http://localhost:4318/v1/traces", "http://localhost:4318/v1/traces", "", true},
		{"https://otel.example.com/otlp/v1/traces?dataset=x", "https://otel.example.com/otlp/v1/traces?dataset=x", "", false},
		{" https://[::1]:55/v1/traces", "https://[::1]:55/v1/traces", "", false},
		{"HTTPS://h/a%20b", "https://h/a%20b", "", false},
		{"https://h", "https://h/", "", false},
		{"unix:/run/otel.sock", "", "/run/otel.sock", true},
		{"unix:///run//otel.sock", "", "/run/otel.sock", true},
	} {
		e, problem := parseURL(tt.in)
		if problem != "" || e.url != tt.url || e.socket != tt.socket || e.insecure(false) != tt.insecure {
			t.Errorf("parseURL(%q) = %+v, %q", tt.in, e, problem)
		}
	}
}

func TestParseURLProblems(t *testing.T) {
	got := ""
	for _, in := range []string{
		"", "localhost:4318", "localhost:4318/v1/traces", "http://", "http:///v1/traces", "ftp://a/v1/traces", "grpc://a", "http://a:0/x", "http://a:b/x",
		"http://::1/x", "http://u:p@a/x", "http://a/x#y", "http://a/x#", "http://a b/x", "http://a/%zz", "unix:", "unix:otel.sock", "http://a", "a", "/v1/traces",
	} {
		_, problem := wholeURL(in)
		if problem == "" {
			t.Errorf("wholeURL(%q): want a problem", in)
		}
		got += quote(in) + ": " + problem + "\n"
	}
	golden(t, "testdata/url-problems.txt", got)
}

func TestTarget(t *testing.T) {
	for _, tt := range []struct {
		exporter Exporter
		want     string
	}{
		{Exporter{OTLPGRPC: &OTLPGRPC{Target: "h:4317"}}, "h:4317"},
		{Exporter{OTLPGRPC: &OTLPGRPC{Target: "unix:/x"}}, "unix:/x"},
		{Exporter{OTLPHTTP: &OTLPHTTP{URL: "https://h/v1/traces?key=secret"}}, "h:443"},
		{Exporter{OTLPHTTP: &OTLPHTTP{URL: "http://[::1]/v1/traces"}}, "[::1]:80"},
		{Exporter{OTLPHTTP: &OTLPHTTP{URL: "http://h:4318/v1/traces"}}, "h:4318"},
		{Exporter{OTLPHTTP: &OTLPHTTP{URL: "http://localhost/v1/traces", Socket: "/x"}}, "unix:/x"},
	} {
		if got := tt.exporter.Target(); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}
