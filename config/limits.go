package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/procspan/procspan/otelexport/catalogue"
)

// AttributeNames returns the names in Attributes, for catalogue.Select.
func (c Capture) AttributeNames() []string {
	names := make([]string, len(c.Attributes))
	for i, name := range c.Attributes {
		names[i] = string(name)
	}
	return names
}

// attributeNameKind is the name of a profile or of an attribute.
func attributeNameKind() *kind {
	names := catalogue.Names()
	k := wordKind(names)
	k.what = "minimal, default, full or the name of an attribute"
	k.parse = func(text, got string) (any, string) {
		if slices.Contains(names, text) {
			return AttributeName(text), ""
		}
		hint := "docs/attributes.md has the names"
		if near := nearest(text, names); near != "" {
			hint = "did you mean " + near + "?"
		}
		for _, a := range catalogue.All() {
			if a.IsFamily() && a.Describes(text) {
				hint = "capture.environment and capture.baggage select these"
			}
		}
		return nil, fmt.Sprintf("must be %s (got %s); %s", k.what, got, hint)
	}
	return k
}

// SpanLimits returns those of spans; zero if there is no exporter for them.
func (c Config) SpanLimits() (l SpanLimits) {
	if c.Traces != nil {
		l = c.Traces.Limits
	}
	return l
}

// RecordLimits returns those of log records; zero if there is no exporter for them.
func (c Config) RecordLimits() (l AttributeLimits) {
	if c.Logs != nil {
		l = c.Logs.Limits
	}
	return l
}

// inherit sets the limits of a signal that are not given to the general ones.
func (l *AttributeLimits) inherit(general AttributeLimits) {
	if l.ValueLength == nil {
		l.ValueLength = general.ValueLength
	}
	if l.Count == nil {
		l.Count = general.Count
	}
}

// inheritLimits applies the limits that hold for all signals.
func (c *Config) inheritLimits() {
	if c.Traces != nil {
		c.Traces.Limits.inherit(c.AttributeLimits)
	}
	if c.Logs != nil {
		c.Logs.Limits.inherit(c.AttributeLimits)
	}
}

// ofSpan returns the variables of a limit for spans; one for attributes holds for
// log records, too, unless they have their own.
func ofSpan(option string) []string {
	if strings.HasPrefix(option, "ATTRIBUTE_") {
		return []string{"OTEL_SPAN_" + option, "OTEL_" + option}
	}
	return []string{"OTEL_" + option}
}

func ofRecord(option string) []string { return []string{"OTEL_LOGRECORD_" + option, "OTEL_" + option} }
