package config

import (
	"reflect"
	"slices"
)

// Source is the file that a Config was read from.
type Source struct {
	Path string
	// SHA256 is the hash of its content, in hexadecimal.
	SHA256 string
}

// Reload returns what a running agent changes to when its file now says next: next,
// except that each option that only a restart applies keeps its present value.
// restart names those of them that differ.
func (c Config) Reload(next Config) (taken Config, restart []string) {
	r := reload{now: reflect.ValueOf(&c).Elem(), next: reflect.ValueOf(&next).Elem(), turns: c.exports() != next.exports()}
	r.restore(describe(reflect.TypeFor[Config]()), "", false)
	return next, r.restart
}

// exports reports whether spans or log records are exported; otherwise processes are
// shown on the terminal.
func (c *Config) exports() bool { return c.Traces != nil || c.Logs != nil }

// reload compares two configurations.
type reload struct {
	now, next reflect.Value
	turns     bool // from the terminal to an exporter, or back
	restart   []string
}

// restore gives each option below o that needs a restart its present value in next, and
// notes the names of those that differ.
func (r *reload) restore(o *option, path string, restart bool) {
	for _, k := range o.keys {
		at, needed := join(path, k.name), restart || k.tag.Get("restart") == "yes"
		if k.form == mapping {
			r.restore(k, at, needed)
			continue
		}
		if k.index == nil {
			continue
		}
		was, is := r.now.FieldByIndex(k.index), r.next.FieldByIndex(k.index)
		if k.tag.Get("restart") == "presence" {
			needed = r.turns && was.IsNil() != is.IsNil()
		}
		if needed && !reflect.DeepEqual(was.Interface(), is.Interface()) {
			is.Set(was)
			if !slices.Contains(r.restart, at) {
				r.restart = append(r.restart, at)
			}
		}
	}
}
