package otelexport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/procspan/procspan/config"
)

const distroName = "procspan"

// NewResource describes this host and this agent; the user's attributes win
// over what is detected. What cannot be detected is missing from the resource
// and named in the error: both are returned, and the resource can be used.
func NewResource(ctx context.Context, user config.Resource, version string) (*resource.Resource, error) {
	attrs, userErr := userAttributes(user)
	known := []attribute.KeyValue{
		semconv.TelemetryDistroName(distroName),
		semconv.TelemetryDistroVersion(version),
	}
	if !slices.ContainsFunc(attrs, isServiceName) {
		known = append(known, semconv.ServiceName(distroName), semconv.ServiceVersion(version))
	}
	res, err := resource.New(ctx,
		resource.WithSchemaURL(semconv.SchemaURL),
		resource.WithTelemetrySDK(),
		resource.WithHost(),
		resource.WithHostID(),
		resource.WithOS(),
		resource.WithDetectors(osRelease{"/etc/os-release", "/usr/lib/os-release"}),
		resource.WithAttributes(known...),
		resource.WithAttributes(attrs...),
	)
	return withoutEmpty(res), errors.Join(err, userErr)
}

// userAttributes converts what the configuration holds.
func userAttributes(user config.Resource) ([]attribute.KeyValue, error) {
	var (
		attrs []attribute.KeyValue
		errs  []error
	)
	for _, a := range user.Attributes {
		key := attribute.Key(strings.ToValidUTF8(a.Name, "\uFFFD"))
		switch v := a.Value.(type) {
		case string:
			attrs = append(attrs, key.String(v))
		case bool:
			attrs = append(attrs, key.Bool(v))
		case int64:
			attrs = append(attrs, key.Int64(v))
		case float64:
			attrs = append(attrs, key.Float64(v))
		case []string:
			attrs = append(attrs, key.StringSlice(v))
		case []bool:
			attrs = append(attrs, key.BoolSlice(v))
		case []int64:
			attrs = append(attrs, key.Int64Slice(v))
		case []float64:
			attrs = append(attrs, key.Float64Slice(v))
		default:
			errs = append(errs, fmt.Errorf("set resource attribute %s: no attribute can hold a %T", a.Name, v))
		}
	}
	return attrs, errors.Join(errs...)
}

func isServiceName(a attribute.KeyValue) bool { return a.Key == semconv.ServiceNameKey }

// withoutEmpty leaves out texts that were detected as empty, as host.id is in
// many containers (an empty /etc/machine-id). Absent says the same, and lets a
// Collector's resource detection fill it in.
func withoutEmpty(res *resource.Resource) *resource.Resource {
	var attrs []attribute.KeyValue
	for _, a := range res.Attributes() {
		if a.Value.Type() != attribute.STRING || a.Value.AsString() != "" {
			attrs = append(attrs, a)
		}
	}
	return resource.NewWithAttributes(res.SchemaURL(), attrs...)
}

// osRelease detects os.name and os.version, which the SDK leaves out, from the
// first of these files that can be opened. See os-release(5).
type osRelease []string

// Detect implements resource.Detector.
func (paths osRelease) Detect(context.Context) (*resource.Resource, error) {
	var errs []error
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		defer f.Close()
		values, err := parseOSRelease(f)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		return resource.NewWithAttributes(semconv.SchemaURL,
			semconv.OSName(values["NAME"]),
			semconv.OSVersion(values["VERSION_ID"]),
		), nil
	}
	return nil, fmt.Errorf("detect os.name and os.version: %w", errors.Join(errs...))
}

// parseOSRelease reads NAME=value lines; values may stand in quotes.
func parseOSRelease(r io.Reader) (map[string]string, error) {
	values := map[string]string{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		key, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		for _, quote := range []string{`"`, `'`} {
			if len(value) >= 2 && strings.HasPrefix(value, quote) && strings.HasSuffix(value, quote) {
				value = value[1 : len(value)-1]
				break
			}
		}
		values[key] = value
	}
	return values, lines.Err()
}
