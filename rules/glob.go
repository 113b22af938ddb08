package rules

import (
	"errors"
	"strings"
)

// Glob is a pattern: * is any text, ? any character, [a-z] and [!a-z] one of a
// class, \ takes the next character as it is. In a pattern of a path * and ? stop
// at a slash, and ** does not.
type Glob struct {
	pattern string
	path    bool
	tokens  []token
}

// token is a character, or a wildcard.
type token struct {
	kind  kind
	char  rune
	class []span
	not   bool
}

type kind uint8

const (
	literal kind = iota
	anyChar
	anyText // up to a slash in a path
	allText
	class
)

type span struct{ low, high rune }

// ParseGlob returns the glob of a pattern.
func ParseGlob(pattern string) (Glob, error) { return parseGlob(pattern, false) }

// ParsePath returns the glob of a pattern of a path, or of a file's name.
func ParsePath(pattern string) (Glob, error) { return parseGlob(pattern, true) }

func parseGlob(pattern string, path bool) (Glob, error) {
	g := Glob{pattern: pattern, path: path}
	if pattern == "" {
		return Glob{}, errors.New("must not be empty: that matches nothing")
	}
	if pattern == "[" { // the program of that name
		g.tokens = []token{{char: '['}}
		return g, nil
	}
	for rest := []rune(pattern); len(rest) > 0; {
		var t token
		var err error
		if t, rest, err = nextToken(rest, path); err != nil {
			return Glob{}, err
		}
		g.tokens = append(g.tokens, t)
	}
	return g, nil
}

func nextToken(rest []rune, path bool) (token, []rune, error) {
	switch r := rest[0]; r {
	case '*':
		all := !path
		for rest = rest[1:]; len(rest) > 0 && rest[0] == '*'; rest = rest[1:] {
			all = true
		}
		if all {
			return token{kind: allText}, rest, nil
		}
		return token{kind: anyText}, rest, nil
	case '?':
		return token{kind: anyChar}, rest[1:], nil
	case '[':
		return nextClass(rest[1:])
	case '\\':
		if len(rest) == 1 {
			return token{}, nil, errors.New(`must not end in \; write \\ for a \`)
		}
		return token{char: rest[1]}, rest[2:], nil
	default:
		return token{char: r}, rest[1:], nil
	}
}

func nextClass(rest []rune) (token, []rune, error) {
	t := token{kind: class}
	if len(rest) > 0 && (rest[0] == '!' || rest[0] == '^') {
		t.not, rest = true, rest[1:]
	}
	for first := true; len(rest) > 0; first = false {
		if rest[0] == ']' && !first {
			return t, rest[1:], nil
		}
		s := span{rest[0], rest[0]}
		rest = rest[1:]
		if len(rest) > 1 && rest[0] == '-' && rest[1] != ']' {
			s.high, rest = rest[1], rest[2:]
		}
		if s.high < s.low {
			return token{}, nil, errors.New("has a range that ends before it begins: " + string(s.low) + "-" + string(s.high))
		}
		t.class = append(t.class, s)
	}
	return token{}, nil, errors.New(`has a [ without its ]; write \[ for a [`)
}

// String returns the pattern.
func (g Glob) String() string { return g.pattern }

// MatchesAll reports whether the glob matches every text.
func (g Glob) MatchesAll() bool { return len(g.tokens) == 1 && g.tokens[0].kind == allText }

// maxSteps bounds the work on a text, which a user of the host may have chosen to take
// long: with two kinds of stars it can grow with the square of its length.
const maxSteps = 200_000

// Match reports whether the whole of s matches. A text that takes more than maxSteps
// matches nothing.
func (g Glob) Match(s string) bool {
	text := []rune(s)
	// One star is tried longer and longer; of two, the later is enough, as long as
	// both match the same texts.
	at, star, starAt, wide, wideAt := 0, -1, 0, -1, 0
	i := 0
	for steps := 0; i < len(text) || at < len(g.tokens); steps++ {
		if steps > maxSteps {
			return false
		}
		if at < len(g.tokens) {
			switch t := g.tokens[at]; {
			case t.kind == allText:
				wide, wideAt, star = at, i, -1
				at++
				continue
			case t.kind == anyText:
				star, starAt = at, i
				at++
				continue
			case i < len(text) && g.matches(t, text[i]):
				at++
				i++
				continue
			}
		}
		switch {
		case star >= 0 && starAt < len(text) && text[starAt] != '/':
			starAt++
			at, i = star+1, starAt
		case wide >= 0 && wideAt < len(text):
			wideAt++
			at, i, star = wide+1, wideAt, -1
		default:
			return false
		}
	}
	return true
}

func (g Glob) matches(t token, r rune) bool {
	switch t.kind {
	case anyChar:
		return !g.path || r != '/'
	case class:
		if g.path && r == '/' {
			return false
		}
		for _, s := range t.class {
			if s.low <= r && r <= s.high {
				return !t.not
			}
		}
		return t.not
	}
	return t.char == r
}

// Join returns patterns as one text, for an explanation.
func Join(globs []Glob) string {
	texts := make([]string, len(globs))
	for i, g := range globs {
		texts[i] = g.pattern
	}
	return strings.Join(texts, ", ")
}
