// Package redact makes arguments and environment values safe to send: what is
// a secret in them becomes "<redacted>", all else stays as it is. In come the
// strings as the kernel has them, out go strings of the same form.
//
// A secret is found by its name (--password x, TOKEN=x, {"apiKey":"x"}), by
// the program it is given to (mysql -px), by its place (a URL's user, a
// header), or by its own shape (ghp_…, a JWT, a PEM block). A high-entropy
// string alone is none: commits, digests and ids look the same. References to
// a secret ($TOKEN, @file, file:…, --password-file) stay.
package redact

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const redacted = "<redacted>"

// Options are what a Redactor knows beyond what is built in.
type Options struct {
	// Patterns are regular expressions (RE2). What one matches in an argument
	// is redacted; with a capture group, only what the group matches.
	Patterns []string
	// Allow are regular expressions of whole values, and of whole names of
	// flags and variables, that the built-in rules leave as they are.
	Allow []string
}

// Redactor replaces secrets. It keeps its buffers, so one goroutine at a time
// may use it.
type Redactor struct {
	triggers *triggers
	shapes   [256][]shape // by first byte
	patterns []*regexp.Regexp
	allow    []*regexp.Regexp

	s      string // what is being looked at
	found  []span // the secrets in s
	words  []word // a stack: the words of s, then of a script in it, …
	refers bool   // the program's --secret names one

	// Up to these bytes there is no JWT, no value of a weak name, no @: what
	// has been looked at in vain is not looked at again.
	jwtUntil, weakUntil, atUntil int
}

// span is s[start:end].
type span struct{ start, end int }

// New returns a Redactor. An error names each pattern that is wrong.
func New(o Options) (*Redactor, error) {
	r := &Redactor{triggers: newTriggers()}
	for _, s := range shapes {
		r.shapes[s.prefix[0]] = append(r.shapes[s.prefix[0]], s)
	}
	var problems []string
	compile := func(option, format string, patterns []string) (compiled []*regexp.Regexp) {
		for i, p := range patterns {
			re, err := regexp.Compile(p)
			switch {
			case err != nil:
				problems = append(problems, fmt.Sprintf("%s[%d]: %v (got %q)", option, i, err, p))
			case re.NumSubexp() > 1:
				problems = append(problems, fmt.Sprintf("%s[%d]: must have at most one capture group; write (?:…) for the others (got %q)", option, i, p))
			case re.MatchString("") && option == "patterns":
				problems = append(problems, fmt.Sprintf("%s[%d]: must not match the empty string (got %q)", option, i, p))
			default:
				compiled = append(compiled, regexp.MustCompile(fmt.Sprintf(format, p)))
			}
		}
		return compiled
	}
	r.patterns = compile("patterns", "%s", o.Patterns)
	r.allow = compile("allow", `\A(?:%s)\z`, o.Allow)
	if problems != nil {
		return nil, fmt.Errorf("redaction: %s", strings.Join(problems, "; "))
	}
	return r, nil
}

// Args returns args, each ended by a NUL, with their secrets redacted. The
// last may be cut and lack its NUL. As many come back as went in; args itself,
// without an allocation, when it holds no secret.
func (r *Redactor) Args(args string) string {
	return r.settle(args, func() {
		r.words = r.words[:0]
		for start := 0; start < len(r.s); {
			end := strings.IndexByte(r.s[start:], 0)
			if end < 0 {
				end = len(r.s) - start
			}
			r.words = append(r.words, word{start: start, end: start + end, first: start == 0})
			start += end + 1
		}
		n := len(r.words)
		r.command(0, n, 0)
		for i, w := range r.words[:n] {
			r.argument(w.start, w.end, i > 0 && runs(r.arg(i-1)))
		}
	})
}

// Variable returns the value of an environment variable, redacted.
func (r *Redactor) Variable(name, value string) string {
	switch k := secretName(name); {
	case value == "" || r.allowed(name):
		return value
	case k == strong && !reference(value) && !directory(name, value) && !r.allowed(value), k == weak && given(name, value) && !r.allowed(value):
		return redacted
	}
	return r.settle(value, func() {
		r.words = append(r.words[:0], word{end: len(r.s)})
		r.command(0, 1, 0)
		r.text(0, len(r.s))
	})
}

// settle looks at s until nothing more is found in what it has become: one
// redaction may uncover another, and a second call must change nothing. Two
// rounds do as a rule; the bound keeps hostile lists linear.
func (r *Redactor) settle(s string, look func()) string {
	for range 8 {
		if len(r.patterns) == 0 && !r.triggers.any(s) {
			return s
		}
		r.s, r.found, r.refers = s, r.found[:0], false
		r.jwtUntil, r.weakUntil, r.atUntil = 0, 0, 0
		look()
		next := r.replaced()
		if next == s {
			return s
		}
		s = next
	}
	return s
}

// runs reports whether the argument after flag is a script, as after sh -c.
func runs(flag string) bool {
	return len(flag) >= 2 && len(flag) <= 5 && flag[0] == '-' && flag[len(flag)-1] == 'c'
}

// argument looks at one argument's text.
func (r *Redactor) argument(start, end int, script bool) {
	for _, p := range r.patterns {
		for _, m := range p.FindAllStringSubmatchIndex(r.s[start:end], -1) {
			from := m[0:2]
			if len(m) == 4 {
				from = m[2:4]
			}
			if from[0] >= 0 && from[0] < from[1] {
				r.hide(start+from[0], start+from[1])
			}
		}
	}
	if script || !r.whole(start, end) {
		r.text(start, end)
	}
}

// whole redacts all that follows the = of --password=… and PASSWORD=…: in an
// argument of its own, a value ends where the argument does.
func (r *Redactor) whole(start, end int) bool {
	a := r.s[start:end]
	eq := strings.IndexByte(a, '=')
	if eq <= 0 || a[0] != '-' && !upperName(a[:eq]) || strings.ContainsAny(a[:eq], " \n:,;\"'") {
		return false
	}
	if r.refers && (a[:eq] == "--secret" || strings.HasSuffix(a[:eq], "-secrets")) {
		return true
	}
	if secretName(a[:eq]) != strong || reference(a[eq+1:]) {
		return false
	}
	r.value(strong, a[:eq], start+eq+1, end)
	return true
}

// value redacts the value s[start:end] of name, unless it is none.
func (r *Redactor) value(kind kind, name string, start, end int) {
	start, end = unquote(r.s, start, end)
	v := r.s[start:end]
	if kind == none || kind == weak && !given(name, v) || reference(v) || directory(name, v) || r.allowed(v) || r.allowed(strings.TrimLeft(name, "-")) {
		return
	}
	if strings.HasPrefix(v, "pass:") { // as openssl and apksigner want it
		start += len("pass:")
	} else if credentials(name, v) { // user:password
		start += strings.IndexByte(v, ':') + 1
	} else {
		start += scheme(v)
	}
	if !reference(r.s[start:end]) {
		r.hide(start, end)
	}
}

func (r *Redactor) allowed(s string) bool {
	for _, a := range r.allow {
		if a.MatchString(s) {
			return true
		}
	}
	return false
}

// hide marks s[start:end] as a secret.
func (r *Redactor) hide(start, end int) {
	if start >= end || r.allowed(r.s[start:end]) {
		return
	}
	for i := max(0, end-len(redacted)); i <= start; i++ { // within a redaction
		if strings.HasPrefix(r.s[i:], redacted) {
			return
		}
	}
	r.found = append(r.found, span{start, end})
}

// replaced returns s without the secrets found; those that overlap become one.
func (r *Redactor) replaced() string {
	if len(r.found) == 0 {
		return r.s
	}
	slices.SortFunc(r.found, func(a, b span) int { return a.start - b.start })
	var b strings.Builder
	b.Grow(len(r.s))
	at := 0
	for i := 0; i < len(r.found); {
		f := r.found[i]
		for i++; i < len(r.found) && r.found[i].start <= f.end; i++ {
			f.end = max(f.end, r.found[i].end)
		}
		b.WriteString(r.s[at:f.start])
		b.WriteString(redacted)
		at = f.end
	}
	b.WriteString(r.s[at:])
	return b.String()
}
