package rooms

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// arrows lists every room of the product and the rooms that it may import. All
// arrows point towards process, so there is none uphill.
var arrows = map[string][]string{
	"cmd/procspan": {"agent", "agent/command", "agent/handover", "config", "console", "internal/capability", "otelexport", "process", "report", "rules", "timeline"},

	"agent": {"agent/command", "agent/handover", "bpf", "config", "console", "enrich", "internal/boottime", "internal/capability", "internal/safedir", "otelexport", "process", "redact", "report", "rules", "selfmetrics", "timeline"},
	// The command that exec starts, and what one agent leaves to the next.
	"agent/command":  {"config", "internal/capability", "process"},
	"agent/handover": {"bpf", "internal/safedir", "internal/seglog", "process"},

	"selfmetrics": {"config", "otelexport/deliver"},

	"otelexport":          {"config", "otelexport/deliver", "otelexport/otlp", "otelexport/spool", "process"},
	"otelexport/otlp":     {"config", "enrich", "internal/boottime", "otelexport/catalogue", "process"},
	"otelexport/deliver":  {"config", "internal/safedir", "otelexport/otlpjson", "otelexport/spool"},
	"otelexport/otlpjson": {},
	"otelexport/spool":    {"internal/safedir", "internal/seglog"},
	// The names of attributes, which the configuration can select.
	"otelexport/catalogue": {},

	"bpf":     {"internal/safedir", "process"},
	"config":  {"otelexport/catalogue", "process", "rules"},
	"rules":   {"process"},
	"console": {"process"},
	"enrich":  {"internal/boottime", "process"},
	"redact":  {},
	"process": {},

	"timeline": {"process"},
	"report":   {"console", "process", "timeline"},

	"internal/seglog":     {"internal/safedir"},
	"internal/safedir":    {},
	"internal/boottime":   {"process"},
	"internal/capability": {},
}

func TestArrows(t *testing.T) {
	for _, p := range product(t) {
		allowed, known := arrows[p.room]
		if !known {
			t.Errorf("%s has no row in arrows: add the rooms that it may import, and the room to ARCHITECTURE.md", p.room)
			continue
		}
		for _, path := range p.Imports {
			room, ours := strings.CutPrefix(path, module+"/")
			switch {
			case !ours:
			case room == "test" || strings.HasPrefix(room, "test/"):
				t.Errorf("%s imports %s: the product does not depend on its tests' tools", p.room, room)
			case !slices.Contains(allowed, room):
				t.Errorf("%s imports %s, and may import only %q", p.room, room, allowed)
			}
		}
	}
}

// The rows of arrows contain no cycle, so every arrow has a direction.
func TestArrowsHaveADirection(t *testing.T) {
	below := make(map[string]bool) // every room that it may import is known to be below it
	for len(below) < len(arrows) {
		before := len(below)
		for room, imports := range arrows {
			if !slices.ContainsFunc(imports, func(i string) bool { return !below[i] }) {
				below[room] = true
			}
		}
		if len(below) == before {
			circle := maps.Clone(arrows)
			maps.DeleteFunc(circle, func(room string, _ []string) bool { return below[room] })
			t.Fatalf("these rows form a circle or name a room without a row: %v", circle)
		}
	}
}

// border is a dependency that one part of the product has to itself.
type border struct {
	name    string
	imports []string          // import paths; one that ends in "/..." includes what is below it
	only    []string          // the rooms that may import them, in the same form
	except  map[string]string // room → the reason why it may, too
}

var borders = []border{{
	name: "OTLP's messages", imports: []string{"go.opentelemetry.io/proto/otlp/..."},
	only: []string{"otelexport/..."},
}, {
	name: "eBPF", imports: []string{"github.com/cilium/ebpf/..."},
	only: []string{"bpf"},
}, {
	name: "unsafe", imports: []string{"unsafe"},
	only: []string{"bpf"},
	except: map[string]string{
		"process":             "codec.go bounds a list by the size of one element",
		"internal/capability": "capset of all threads takes its structs by address",
	},
}, {
	name: "gRPC", imports: []string{"google.golang.org/grpc/..."},
	only: []string{"otelexport/deliver", "selfmetrics"},
}, {
	name: "YAML", imports: []string{"go.yaml.in/yaml/..."},
	only: []string{"config"},
}, {
	name: "semantic conventions", imports: []string{"go.opentelemetry.io/otel/semconv/..."},
	only: []string{"otelexport/otlp", "otelexport/catalogue", "selfmetrics"},
	except: map[string]string{
		"otelexport": "detect.go describes the host",
	},
}, {
	name: "command line", imports: []string{"github.com/spf13/cobra/..."},
	only: []string{"cmd/procspan"},
}, {
	name: "Prometheus", imports: []string{"github.com/prometheus/..."},
	only: []string{"selfmetrics"},
}}

func TestBorders(t *testing.T) {
	packages := product(t)
	for _, b := range borders {
		t.Run(b.name, func(t *testing.T) {
			found, excused := 0, make(map[string]bool)
			for _, p := range packages {
				for _, path := range p.Imports {
					if !matches(b.imports, path) {
						continue
					}
					found++
					switch reason, excepted := b.except[p.room]; {
					case matches(b.only, p.room):
					case excepted && reason != "":
						excused[p.room] = true
					default:
						t.Errorf("%s imports %s, which only %q may", p.room, path, b.only)
					}
				}
			}
			if found == 0 {
				t.Errorf("nothing imports %q: remove the row, or mend its paths", b.imports)
			}
			for room, reason := range b.except {
				if !excused[room] {
					t.Errorf("%s no longer imports %q (%s): remove the exception", room, b.imports, reason)
				}
			}
		})
	}
}

// ban is what a room keeps out.
type ban struct {
	room    string
	imports []string // as in border
	deep    bool     // also through what it imports
	reason  string
}

var bans = []ban{
	{room: "otelexport/otlp", imports: []string{"google.golang.org/grpc/..."}, deep: true, reason: "it turns lifetimes into bytes; deliver sends them"},
	{room: "otelexport/otlp", imports: []string{"net/...", "os/..."}, reason: "it is pure: no I/O"},
	{room: "otelexport/deliver", imports: []string{module + "/process"}, reason: "it delivers bytes and counts, and knows no process"},
}

func TestBans(t *testing.T) {
	for _, p := range product(t) {
		if p.room == "process" {
			for _, path := range p.Deps {
				first, _, _ := strings.Cut(path, "/") // a domain, but in the standard library
				if strings.Contains(first, ".") && path != module+"/process" {
					t.Errorf("process depends on %s: the domain knows the standard library only", path)
				}
			}
		}
		for _, b := range bans {
			if b.room != p.room {
				continue
			}
			imports := p.Imports
			if b.deep {
				imports = p.Deps
			}
			for _, path := range imports {
				if matches(b.imports, path) {
					t.Errorf("%s imports %s: %s", p.room, path, b.reason)
				}
			}
		}
	}
}

func TestMatches(t *testing.T) {
	for _, tc := range []struct {
		pattern, path string
		want          bool
	}{
		{"unsafe", "unsafe", true},
		{"net", "net/http", false},
		{"net/...", "net", true},
		{"net/...", "net/http", true},
		{"net/...", "netip", false},
		{"otelexport/...", "otelexport/spool", true},
	} {
		if got := matches([]string{"x", tc.pattern}, tc.path); got != tc.want {
			t.Errorf("%s matches %s: %v, want %v", tc.pattern, tc.path, got, tc.want)
		}
	}
}

// matches reports whether one of the patterns includes path.
func matches(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		whole, tree := strings.CutSuffix(pattern, "/...")
		return path == whole || tree && strings.HasPrefix(path, whole+"/")
	})
}
