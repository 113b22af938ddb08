package config

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// YAML returns the effective configuration as a file that Parse accepts and
// takes for the same configuration, but for the headers' values: they print as
// "<redacted>".
func (c Config) YAML() []byte {
	p := &printer{}
	p.WriteString(leastFile + "\n")
	p.pairs(0, pairsOf(describe(reflect.TypeFor[Config]()), reflect.ValueOf(&c).Elem()))
	return p.Bytes()
}

// pairs are a mapping to print; each value is text, pairs or a list of pairs.
type pairs []pair

type pair struct {
	key   string
	value any
}

// prints is a struct some of whose keys it prints itself; "" is none of these.
type prints interface{ printed(key string) string }

// pairsOf returns what the options below o print.
func pairsOf(o *option, root reflect.Value) (all pairs) {
	owner, _ := adapt(o.owner(root)).(prints)
	for _, k := range o.keys {
		var v any
		if owner != nil {
			if text := owner.printed(k.name); text != "" {
				all = append(all, pair{k.name, text})
				continue
			}
		}
		if v = printed(k, root); v != nil {
			all = append(all, pair{k.name, v})
		}
	}
	return all
}

// printed returns what an option prints; nil is nothing.
func printed(k *option, root reflect.Value) any {
	var field reflect.Value
	if k.index != nil {
		field = root.FieldByIndex(k.index)
	}
	switch {
	case k.form == optional:
		if field.IsNil() {
			return nil
		}
		return pairsOf(k, root)
	case k.form == choices:
		var items []pairs
		for _, p := range pairsOf(k, root) {
			items = append(items, pairs{p})
		}
		return items
	case k.form == mapping:
		if p := pairsOf(k, root); len(p) > 0 {
			return p
		}
		return nil
	case k.index == nil, k.has("omit") && field.IsZero():
		return nil
	}
	switch k.form {
	case structs:
		items := make([]pairs, field.Len())
		for i := range items {
			items[i] = pairsOf(k, field.Index(i))
		}
		return items
	case scalars:
		return flowOf(k.kind, field)
	case set:
		var on []string
		for _, flag := range k.keys {
			if root.FieldByIndex(flag.index).Bool() {
				on = append(on, flag.name)
			}
		}
		return "[" + strings.Join(on, ", ") + "]"
	case special:
		return adapt(field.Addr().Interface()).(specialForm).print()
	}
	if field.Kind() == reflect.Pointer {
		if field.IsNil() {
			return nil
		}
		field = field.Elem()
	}
	return k.kind.print(field.Interface())
}

// flowOf returns a list of scalars on one line.
func flowOf(k *kind, list reflect.Value) string {
	texts := make([]string, list.Len())
	for i := range texts {
		texts[i] = k.print(list.Index(i).Interface())
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

type printer struct{ bytes.Buffer }

func (p *printer) pairs(depth int, all pairs) {
	for _, one := range all {
		p.WriteString(strings.Repeat("  ", depth) + one.key + ":")
		switch v := one.value.(type) {
		case string:
			p.WriteString(" " + v + "\n")
		case pairs:
			p.WriteByte('\n')
			p.pairs(depth+1, v)
		case []pairs:
			p.WriteByte('\n')
			for _, item := range v {
				start := p.Len() + 2*(depth+1)
				p.pairs(depth+2, item)
				p.Bytes()[start] = '-'
			}
		}
	}
}

// yamlString writes a value in double quotes, with "$$" for "$" so that nothing
// in it is substituted.
func yamlString(s string) string { return yamlText(strings.ReplaceAll(s, "$", "$$")) }

// yamlText writes a string in double quotes. As it is, it is for a key: there
// nothing is substituted.
func yamlText(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
