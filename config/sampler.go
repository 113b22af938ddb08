package config

import (
	"slices"
	"strings"
)

// samplers are the keys of which a sampler has exactly one.
func samplers() []string {
	return []string{"always_on", "always_off", "trace_id_ratio_based", "parent_based"}
}

// regardless is the sampler that does not look at the parent.
func regardless(share float64) Sampler { return Sampler{share, share, share} }

// parentBased is the sampler that follows a remote parent.
func parentBased(root float64) Sampler { return Sampler{Root: root, RemoteParentSampled: 1} }

// isRatio is false for NaN too.
func isRatio(f float64) bool { return f >= 0 && f <= 1 }

// sampler reads the sampler at key; def where there is none, or one that is
// blamed.
func (s section) sampler(key string, def Sampler) Sampler {
	one := s.w.section(s.fields[key], join(s.path, key), atSampler)
	if one.fields == nil {
		return def
	}
	given := slices.DeleteFunc(samplers(), func(k string) bool { return !one.present(k) })
	switch {
	case len(given) > 1:
		s.fail(key, "must be one sampler (got %s); keep one", strings.Join(given, ", "))
		return def
	case len(given) == 0 && !one.hasUnsupported():
		s.fail(key, "must be %s (got nothing)", choice(samplers()))
	}
	if len(given) == 0 {
		return def
	}
	switch given[0] {
	case "always_on":
		one.section("always_on")
		return regardless(1)
	case "always_off":
		one.section("always_off")
		return regardless(0)
	case "trace_id_ratio_based":
		return regardless(one.section("trace_id_ratio_based").ratio("ratio", 1))
	}
	p := one.section("parent_based")
	p.localParent("local_parent_sampled", "always_on", 1)
	p.localParent("local_parent_not_sampled", "always_off", 0)
	// A parent_based below this one is asked with the same parent.
	return Sampler{
		Root:                   p.sampler("root", regardless(1)).Root,
		RemoteParentSampled:    p.sampler("remote_parent_sampled", regardless(1)).RemoteParentSampled,
		RemoteParentNotSampled: p.sampler("remote_parent_not_sampled", regardless(0)).RemoteParentNotSampled,
	}
}

// localParent holds that the sampler at key says what procspan does.
func (s section) localParent(key, only string, share float64) {
	if s.sampler(key, regardless(share)) != regardless(share) {
		s.fail(key, "must be %s (got another sampler): procspan decides once for a trace, and every span in it follows; remove the key", only)
	}
}

// ratio reads a number from 0 to 1.
func (s section) ratio(key string, def float64) float64 {
	n, ok := s.scalar(key, "a number", tagInt, tagFloat)
	if !ok {
		return def
	}
	f, err := parseFloat(n.Value)
	if err != nil || !isRatio(f) {
		s.fail(key, "must be 0 to 1 (got %s)", found(n, false))
		return def
	}
	return f
}

// sampler reads OTEL_TRACES_SAMPLER, and OTEL_TRACES_SAMPLER_ARG where that
// takes one.
func (v *variables) sampler() Sampler {
	words := []string{"always_on", "always_off", "traceidratio",
		"parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"}
	word := v.oneOf("parentbased_always_on", words, "; procspan supports no other sampler", "OTEL_TRACES_SAMPLER")
	kind, byParent := strings.CutPrefix(word, "parentbased_")
	share := 1.0
	switch kind {
	case "always_off":
		share = 0
	case "traceidratio":
		share = v.ratio(share, "OTEL_TRACES_SAMPLER_ARG")
	}
	if byParent {
		return parentBased(share)
	}
	return regardless(share)
}
