package redact

import "strings"

// word is one argument, or one word of a script. first: a command starts here;
// piped: that command reads from a pipe; here: the word follows <<<.
type word struct {
	start, end         int
	first, piped, here bool
}

// opens are shell keywords before a command.
var opens = set("then do else elif if while until time exec ! { export")

// split pushes the words of the script s[start:end], without the quotes around
// them, and returns their number.
func (r *Redactor) split(start, end int) int {
	s, n := r.s, 0
	first, piped, less := true, false, 0 // less counts the < before a word
	for i := start; i < end; {
		switch c := s[i]; c {
		case ' ', '\t', '\r', '<', '>':
			if strings.HasPrefix(s[i:end], redacted) {
				break
			}
			if c == '<' {
				less++
			}
			i++
			continue
		case '\n', ';', '&', '(', ')', '`':
			first, piped = true, false
			i++
			continue
		case '|':
			first, piped = true, true
			i++
			continue
		}
		from := i
		i = wordEnd(s, i, end)
		w := word{start: from, end: i, first: first, piped: piped, here: less == 3}
		w.start, w.end = unquote(s, from, i)
		r.words = append(r.words, w)
		n, less = n+1, 0
		first = w.end-w.start < 8 && opens[s[w.start:w.end]]
		piped = piped && first
	}
	return n
}

func wordEnd(s string, i, end int) int {
	for i < end {
		switch c := s[i]; c {
		case '\\':
			i += 2
		case '\'', '"':
			quote := strings.IndexByte(s[i+1:end], c)
			for quote > 0 && c == '"' && s[i+quote] == '\\' { // \"
				next := strings.IndexByte(s[i+quote+2:end], c)
				if next < 0 {
					return end
				}
				quote += next + 1
			}
			if quote < 0 {
				return end
			}
			i += quote + 2
		case ' ', '\t', '\n', '\r', ';', '&', '|', '(', ')', '<', '>', '`':
			if c == '<' && strings.HasPrefix(s[i:end], redacted) {
				i += len(redacted)
				continue
			}
			return i
		default:
			i++
		}
	}
	return end
}
