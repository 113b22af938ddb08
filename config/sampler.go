package config

import (
	"reflect"
	"strconv"
	"strings"
)

// Sampler selects the traces that are exported: by how a trace starts, the share of
// such traces, from 0 for none to 1 for all. The trace id chooses, as in
// OpenTelemetry's TraceIdRatioBased.
//
// It is asked once for each trace and never with a local parent, so every
// sampler that can be written comes down to these three numbers. A sampler that
// ignores the parent has the same number three times.
type Sampler struct {
	// Root is for traces that start on this host.
	Root float64
	// RemoteParentSampled is for traces that a TRACEPARENT names as sampled.
	RemoteParentSampled float64
	// RemoteParentNotSampled is for traces that one names as not sampled.
	RemoteParentNotSampled float64
}

// samplerForm is how a sampler is written: exactly one of these keys.
type samplerForm struct {
	_           struct{}       `yaml:"" one:"" unsupported:"composite/development jaeger_remote/development probability/development" instead:"one of always_on, always_off, trace_id_ratio_based, parent_based"`
	AlwaysOn    *struct{}      `yaml:"always_on" null:""`
	AlwaysOff   *struct{}      `yaml:"always_off" null:""`
	Ratio       *ratioForm     `yaml:"trace_id_ratio_based" null:""`
	ParentBased *parentSampler `yaml:"parent_based" null:""`
}

type ratioForm struct {
	Ratio float64 `yaml:"ratio" range:"0..1"`
}

type parentSampler struct {
	Root                   Sampler `yaml:"root"`
	RemoteParentSampled    Sampler `yaml:"remote_parent_sampled"`
	RemoteParentNotSampled Sampler `yaml:"remote_parent_not_sampled"`
	LocalParentSampled     Sampler `yaml:"local_parent_sampled"`
	LocalParentNotSampled  Sampler `yaml:"local_parent_not_sampled"`
}

func (r *ratioForm) setDefaults() { r.Ratio = 1 }

func (p *parentSampler) setDefaults() {
	on, off := regardless(1), regardless(0)
	*p = parentSampler{on, on, off, on, off}
}

// check holds that a local parent decides as procspan does.
func (p *parentSampler) check(s section) {
	const not = "must be %s (got another sampler): procspan decides once for a trace, and every span in it follows; remove the key"
	if p.LocalParentSampled != regardless(1) {
		s.fail("local_parent_sampled", not, "always_on")
	}
	if p.LocalParentNotSampled != regardless(0) {
		s.fail("local_parent_not_sampled", not, "always_off")
	}
}

// read reads a sampler. What is wrong leaves it as it is.
func (s *Sampler) read(v value) {
	o := describe(reflect.TypeFor[samplerForm]())
	one := v.section(o)
	if one.fields == nil {
		return
	}
	given := one.given()
	switch {
	case len(given) > 1:
		v.fail("must be one sampler (got %s); keep one", strings.Join(given, ", "))
		return
	case len(given) == 0 && !one.hasUnknown():
		v.fail("must be %s (got nothing)", choice(o.names()))
	}
	if len(given) == 0 {
		return
	}
	var form samplerForm
	one.read(o.key(given[0]), reflect.ValueOf(&form).Elem())
	switch {
	case form.AlwaysOn != nil:
		*s = regardless(1)
	case form.AlwaysOff != nil:
		*s = regardless(0)
	case form.Ratio != nil:
		*s = regardless(form.Ratio.Ratio)
	case form.ParentBased != nil:
		// A parent_based below this one is asked with the same parent.
		p := form.ParentBased
		*s = Sampler{p.Root.Root, p.RemoteParentSampled.RemoteParentSampled, p.RemoteParentNotSampled.RemoteParentNotSampled}
	}
}

// print prints a sampler in its shortest form.
func (s Sampler) print() any {
	if s == regardless(s.Root) {
		return shareText(s.Root)
	}
	return pairs{{"parent_based", pairs{
		{"root", shareText(s.Root)},
		{"remote_parent_sampled", shareText(s.RemoteParentSampled)},
		{"remote_parent_not_sampled", shareText(s.RemoteParentNotSampled)},
	}}}
}

func (Sampler) schema() object {
	return object{"type": "object", "$ref": "#/$defs/sampler"}
}

func samplerSchema() object {
	s := describe(reflect.TypeFor[samplerForm]()).mappingSchema(nil)
	s["type"] = []any{"object", "null"}
	return s
}

// shareText returns the sampler that exports a share of all traces.
func shareText(share float64) string {
	switch share {
	case 0:
		return "{always_off: {}}"
	case 1:
		return "{always_on: {}}"
	}
	return "{trace_id_ratio_based: {ratio: " + strconv.FormatFloat(share, 'g', -1, 64) + "}}"
}

// regardless is the sampler that ignores the parent.
func regardless(share float64) Sampler { return Sampler{share, share, share} }

// parentBased is the sampler that follows a remote parent.
func parentBased(root float64) Sampler { return Sampler{Root: root, RemoteParentSampled: 1} }

// sampler reads OTEL_TRACES_SAMPLER, and OTEL_TRACES_SAMPLER_ARG where that
// takes one.
func (v *variables) sampler() Sampler {
	word := v.word([]string{"always_on", "always_off", "traceidratio",
		"parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"}, "OTEL_TRACES_SAMPLER")
	kind, byParent := strings.CutPrefix(word, "parentbased_")
	share := 1.0
	switch kind {
	case "always_off":
		share = 0
	case "traceidratio":
		if ratio, ok := v.parse(ratioKind("0", "1"), "OTEL_TRACES_SAMPLER_ARG").(float64); ok {
			share = ratio
		}
	}
	if byParent || word == "" {
		return parentBased(share)
	}
	return regardless(share)
}
