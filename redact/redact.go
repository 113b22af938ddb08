// Package redact replaces the secrets in arguments and environment values with
// "<redacted>" and keeps everything else. Input and output have the form of the
// kernel's strings: arguments, each ended by a NUL.
//
// A secret is recognized by its name (--password x, TOKEN=x, {"apiKey":"x"}), by the
// program that receives it (mysql -px), by its context (a URL's user, a header, the
// answer to a prompt, the argument of a call), or by its own format (ghp_…, a JWT, a
// PEM block). High entropy alone is not enough: commits, digests and ids have it, too.
// References to a secret ($TOKEN, @file, file:…, --password-file) are kept.
package redact

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const redacted = "<redacted>"

// Options extend the built-in rules.
type Options struct {
	// Patterns match secrets anywhere in an argument. Where a pattern has a
	// capture group, only the group is redacted.
	Patterns []*regexp.Regexp
	// Allow match whole values, and whole names of flags and variables, that
	// are never redacted.
	Allow []*regexp.Regexp
}

// Redactor replaces secrets. It reuses its buffers, so only one goroutine at a
// time may use it.
type Redactor struct {
	triggers *triggers
	formats  [256][]tokenFormat // by first byte
	patterns []*regexp.Regexp
	allow    []*regexp.Regexp

	s      string // the input
	found  []span // the secrets in s
	words  []word // a stack: the words of s, then those of a script in it, …
	refers bool   // the program's --secret takes a name, not a value

	// Offsets up to which s holds no JWT, no value of a weak name and no @.
	// They keep repeated searches linear.
	jwtUntil, weakUntil, atUntil int
}

// span is s[start:end].
type span struct{ start, end int }

// New returns a Redactor. Its error lists every unusable expression.
func New(o Options) (*Redactor, error) {
	r := &Redactor{triggers: newTriggers(), patterns: o.Patterns}
	for _, f := range tokenFormats {
		r.formats[f.prefix[0]] = append(r.formats[f.prefix[0]], f)
	}
	var problems []error
	for i, e := range o.Patterns {
		switch {
		case e.NumSubexp() > 1:
			problems = append(problems, fmt.Errorf("patterns[%d]: must have at most one capture group; write (?:…) for the others (got %q)", i, e))
		case e.MatchString(""):
			problems = append(problems, fmt.Errorf("patterns[%d]: must not match the empty string (got %q)", i, e))
		}
	}
	for i, e := range o.Allow {
		whole, err := regexp.Compile(`\A(?:` + e.String() + `)\z`)
		if err != nil {
			problems = append(problems, fmt.Errorf("allow[%d]: %w", i, err))
		}
		r.allow = append(r.allow, whole)
	}
	return r, errors.Join(problems...)
}

// Args returns args, each ended by a NUL, with their secrets redacted. The last
// argument may be cut and lack its NUL. The number of arguments never changes.
// Args without a secret are returned as they are, without an allocation.
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
	if value == "" || r.allowed(name) {
		return value
	}
	if r.namedSecret(name, value) {
		return redacted
	}
	settled := r.settle(value, func() {
		r.words = append(r.words[:0], word{end: len(r.s)})
		r.command(0, 1, 0)
		r.text(0, len(r.s))
	})
	if settled != value && r.namedSecret(name, settled) { // without what made it look like none
		return redacted
	}
	return settled
}

// namedSecret reports whether a value is a secret since its variable has the name of one.
func (r *Redactor) namedSecret(name, value string) bool {
	switch is := secretName(name); is {
	case none:
		return false
	case strong:
		return !reference(value) && !directory(name, value) && !r.allowed(value)
	default:
		return (secretLike(name, value) || is == numeric && pin(value)) && !r.allowed(value)
	}
}

// settle redacts s until nothing changes: one redaction may uncover another,
// and a second call must change nothing. Two rounds are usual; the bound keeps
// hostile input linear.
func (r *Redactor) settle(s string, search func()) string {
	for range 8 {
		if len(r.patterns) == 0 && !r.triggers.any(s) {
			return s
		}
		r.s, r.found, r.refers = s, r.found[:0], false
		r.jwtUntil, r.weakUntil, r.atUntil = 0, 0, 0
		search()
		next := r.replaced()
		if next == s {
			return s
		}
		s = next
	}
	return s
}

// runs reports whether the argument after flag is a script, as in sh -c SCRIPT.
func runs(flag string) bool {
	return len(flag) >= 2 && len(flag) <= 5 && flag[0] == '-' && flag[len(flag)-1] == 'c'
}

// argument searches one argument.
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

// whole redacts everything after the = of --password=… and PASSWORD=…: in an
// argument of its own, the value ends where the argument does.
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

// value redacts s[start:end], the value of name, unless it is not a secret.
func (r *Redactor) value(is secrecy, name string, start, end int) {
	start, end = unquote(r.s, start, end)
	v := r.s[start:end]
	if is == none || is < strong && !secretLike(name, v) && !(is == numeric && pin(v)) || reference(v) || directory(name, v) || r.allowed(v) || r.allowed(strings.TrimLeft(name, "-")) {
		return
	}
	if strings.HasPrefix(v, "pass:") { // openssl, apksigner
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
	for i := max(0, end-len(redacted)); i <= start; i++ { // inside a redaction
		if strings.HasPrefix(r.s[i:], redacted) {
			return
		}
	}
	r.found = append(r.found, span{start, end})
}

// replaced returns s without the secrets in found. Overlapping secrets are
// replaced by one mark.
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
