package redact

import "strings"

// quoteAt returns the quote at s[v] and its width in bytes: \" has two.
func quoteAt(s string, v, end int) (quote byte, width int) {
	width = 1
	for v < end && s[v] == '\\' && width < 5 {
		v++
		width++
	}
	if v < end && strings.IndexByte("\"'`", s[v]) >= 0 {
		return s[v], width
	}
	return 0, 0
}

// closing returns the end of the value at s[v] whose opening quote has width
// bytes.
func closing(s string, v, end int, quote byte, width int) int {
	for i := v; i < end; i++ {
		switch {
		case s[i] == '\\' && width == 1:
			i++
		case s[i] == quote:
			return max(v, i-width+1)
		}
	}
	return end
}

// valueEnd returns the end of the unquoted value at s[v].
func valueEnd(s string, v, end int) int {
	if strings.HasPrefix(s[v:end], redacted) {
		return v + len(redacted)
	}
	open := 0 // brackets
	for i := v; i < end; i++ {
		switch c := s[i]; c {
		case '(', '[', '{':
			open++
		case ' ', '\t', '\n', '\r', ';', '`':
			return i
		case '\\':
			if i+1 < end && strings.IndexByte("nrt\"'", s[i+1]) >= 0 {
				return i
			}
		case '&', ',':
			if i+1 == end || stop(s[i+1]) || s[i+1] == '&' || assigns(s[i+1:end]) {
				return i
			}
		case ')', ']', '}':
			if open--; open < 0 && (i+1 == end || stop(s[i+1])) {
				return i
			}
		case '"', '\'':
			if i+1 == end || stop(s[i+1]) {
				return i
			}
		case '|':
			if i+1 < end && (s[i+1] == '|' || letter(s[i+1])) && i > v {
				return i
			}
		}
	}
	return end
}

// stop reports whether a closing bracket before c ends a value.
func stop(c byte) bool { return strings.IndexByte(" \t\n\r;,)]}\"'&|\\/><", c) >= 0 }

// assigns reports whether s starts like name= or name:.
func assigns(s string) bool {
	i := 0
	for i < len(s) && i < 64 && (nameByte(s[i]) || s[i] == '[' || s[i] == ']') {
		i++
	}
	return i > 0 && i < len(s) && (s[i] == '=' || s[i] == ':')
}

// code reports whether v is an expression of a program or a search pattern.
func code(v string) bool {
	if strings.HasPrefix(v, `\`) || strings.HasPrefix(v, ".*") || strings.HasPrefix(v, "[^") || strings.HasPrefix(v, "(") {
		return true
	}
	i := 0
	for i < len(v) && (alnum(v[i]) || v[i] == '_' || v[i] == '.') {
		i++
	}
	return i > 0 && i < len(v) && !digit(v[0]) && (v[i] == '(' || v[i] == '[') && strings.IndexByte(v[:i], '.') >= 0 ||
		strings.HasPrefix(v, "process.env.") || strings.HasPrefix(v, "env(") || strings.HasPrefix(v, "strenv(") || strings.HasPrefix(v, "getenv(") || parameter(v) || hasPrefixFold(v, "password(")
}

// parameter reports whether v is the :name of an SQL statement.
func parameter(v string) bool {
	i := 1
	for i < len(v) && (letter(v[i]) || v[i] == '_') {
		i++
	}
	return i > 1 && v[0] == ':' && (i == len(v) || stop(v[i]))
}

// prose reports whether "token: value" is a sentence or a count: a word that
// does not stand alone, or two digits.
func prose(s, value string, from int, spaced bool, to, start, end int) bool {
	if len(value) <= 3 && strings.Trim(value, "0123456789") == "" {
		return true
	}
	if !spaced || !wordy(value) {
		return false
	}
	alone := to >= end || strings.IndexByte("\n\r,}\"'\\", s[to]) >= 0
	heads := from == start || strings.IndexByte("\n\r,{\"'n", s[from-1]) >= 0
	return !alone || !heads
}
