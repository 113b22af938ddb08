package otelexport

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/otlp"
)

func resourceOf(t *testing.T, user ...config.Attribute) (map[string]string, error) {
	t.Helper()
	res, err := NewResource(t.Context(), config.Resource{Attributes: user}, "1.2.3")
	if res.SchemaURL() != semconv.SchemaURL {
		t.Errorf("schema url: got %q, want %q; is all of the SDK at one semconv version?", res.SchemaURL(), semconv.SchemaURL)
	}
	got := map[string]string{}
	for _, a := range res.Attributes() {
		got[string(a.Key)] = a.Value.AsString()
	}
	return got, err
}

func TestResource(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "from.env=yes,service.name=env")
	t.Setenv("OTEL_SERVICE_NAME", "env")
	got, _ := resourceOf(t) // what this machine lacks is no failure of the test
	host, _ := os.Hostname()
	for key, want := range map[string]string{
		"service.name": "procspan", "service.version": "1.2.3",
		"telemetry.distro.name": "procspan", "telemetry.distro.version": "1.2.3",
		"telemetry.sdk.language": "go", "telemetry.sdk.name": "opentelemetry",
		"host.name": host, "os.type": "linux",
	} {
		if got[key] != want {
			t.Errorf("%s: got %q, want %q", key, got[key], want)
		}
	}
	if _, ok := got["from.env"]; ok {
		t.Error("OTEL_RESOURCE_ATTRIBUTES is read here; config has decided already")
	}
	for key, value := range got {
		if value == "" {
			t.Errorf("%s is empty", key)
		}
	}
}

func TestResourceUserWins(t *testing.T) {
	got, _ := resourceOf(t,
		config.Attribute{Name: "service.name", Value: "build"},
		config.Attribute{Name: "host.name", Value: "mine"})
	if got["service.name"] != "build" || got["host.name"] != "mine" {
		t.Errorf("got service.name %q and host.name %q, want build and mine", got["service.name"], got["host.name"])
	}
	if v, ok := got["service.version"]; ok {
		t.Errorf("service.version: got %q, want none: procspan's version is not the user's", v)
	}
}

func TestResourceValues(t *testing.T) {
	user := config.Resource{Attributes: []config.Attribute{
		{Name: "s", Value: "text"}, {Name: "b", Value: true}, {Name: "i", Value: int64(7)}, {Name: "f", Value: 1.5},
		{Name: "ss", Value: []string{"a", ""}}, {Name: "bs", Value: []bool{true}}, {Name: "is", Value: []int64{1}},
		{Name: "fs", Value: []float64{.5}}, {Name: "bad", Value: map[string]int{}},
	}}
	attrs, err := userAttributes(user)
	if err == nil || !strings.Contains(err.Error(), "set resource attribute bad: ") {
		t.Errorf("error: got %v", err)
	}
	want := map[string]string{
		"s": `string_value:"text"`, "b": `bool_value:true`, "i": `int_value:7`, "f": `double_value:1.5`,
		"ss": `array_value:{values:{string_value:"a"} values:{string_value:""}}`,
		"bs": `array_value:{values:{bool_value:true}}`,
		"is": `array_value:{values:{int_value:1}}`,
		"fs": `array_value:{values:{double_value:0.5}}`,
	}
	got := map[string]string{}
	r := decodeResource(t, otlp.NewResource(resource.NewSchemaless(attrs...), nil, ""))
	for _, kv := range r.Resource.Attributes {
		got[kv.Key] = strings.Join(strings.Fields(kv.Value.String()), " ")
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestOSRelease(t *testing.T) {
	path := filepath.Join(t.TempDir(), "os-release")
	text := "# comment\nNAME=\"Debian GNU/Linux\"\n\nVERSION_ID='12'\nID=debian\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	res, err := osRelease{"/does/not/exist", path}.Detect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []attribute.KeyValue{semconv.OSName("Debian GNU/Linux"), semconv.OSVersion("12")}
	if got := res.Attributes(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := (osRelease{"/does/not/exist"}).Detect(t.Context()); err == nil {
		t.Error("no file: got no error")
	}
}

// decodeResource reads an encoded resource as a server does.
func decodeResource(t *testing.T, r *otlp.Resource) *tracepb.ResourceSpans {
	t.Helper()
	var spans tracepb.ResourceSpans
	if err := proto.Unmarshal(r.Wire, &spans); err != nil {
		t.Fatalf("decode resource: %v", err)
	}
	return &spans
}
