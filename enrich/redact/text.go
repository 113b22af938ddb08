package redact

import "strings"

// text looks for secrets in s[start:end], whatever it is: a header, a URL,
// JSON, a connection string, a script. Each byte is looked at a bounded number
// of times, and what was taken for a value is not looked at again.
func (r *Redactor) text(start, end int) {
	s := r.s
	for i := start; i < end; i++ {
		c := s[i]
		next := 0
		switch {
		case alnum(c):
			if i > start && alnum(s[i-1]) && !escaped(s, i) || len(r.shapes[c]) == 0 {
				continue
			}
			next = r.shape(i, end)
		case c == '=' || c == ':':
			next = r.assignment(i, start, end)
		case c == '-':
			next = r.pem(i, end)
		case c == '\'' || c == '"':
			next = r.quoted(i, start, end)
		case c == ' ':
			next = r.bearer(i, start, end)
		case c == '>':
			next = r.element(i, start, end)
		case c == '@' && (strings.HasPrefix(s[i:end], "@tcp(") || strings.HasPrefix(s[i:end], "@unix(")):
			r.dsn(i, start)
		case c == '.' && strings.HasPrefix(s[i:end], ".atlasv1."):
			next = r.terraform(i, end)
		}
		if next > i {
			i = next - 1
		}
	}
}

// escaped reports whether s[i] starts a word because s[i-1] ends \n or %3D.
func escaped(s string, i int) bool {
	return i >= 2 && s[i-2] == '\\' || i >= 3 && s[i-3] == '%'
}

// assignment redacts the value after the = or : at i, if the name before it is
// a secret's, and returns where the value ends.
func (r *Redactor) assignment(i, start, end int) int {
	s := r.s
	if s[i] == ':' {
		if strings.HasPrefix(s[i:end], "://") {
			return r.url(i, start, end)
		}
		if strings.HasPrefix(s[max(start, i-5):i], ":thin") { // jdbc:oracle:thin:user/password@
			r.slash(i+1, end)
		}
		if i+1 < end && s[i+1] == 'A' && i > start && digit(s[i-1]) {
			r.telegram(i, end)
		}
	}
	from, to, quote, spaced := name(s, start, i)
	if from == to {
		return 0
	}
	n := s[from:to]
	kind := secretName(n)
	header := s[i] == ':' && header(n)
	if kind == none && hasSuffixFold(n, "value") {
		kind = sibling(s, start, from)
	}
	if kind == none && !header {
		return 0
	}
	if i+1 < end && s[i+1] == ':' || s[i] == ':' && from > start && s[from-1] == ':' || // a::b, arn:…:secret:x
		i+1 < end && s[i+1] == '?' { // ${TOKEN:?is missing}
		return 0
	}
	v := i + 1
	for v < end && (s[v] == '=' || s[v] == '>') { // == => :=
		v++
	}
	blanks := v
	for v < end && (s[v] == ' ' || s[v] == '\t') && (s[i] == ':' || spaced || v > i+1) {
		v++
	}
	if v >= end || quote != 0 && s[v] == quote && s[to] != quote { // "password:"
		return 0
	}
	if kind == weak && !header {
		if s[i] == ':' && v == blanks && s[v] != '"' {
			return 0
		}
		if i < r.weakUntil { // within a value that has been looked at
			return 0
		}
		end = min(end, v+weakMax)
	}
	if header && (quote == 0 || s[to] != quote) {
		return r.header(n, kind, v, end, quote, from == start || strings.HasSuffix(s[start:from], "--header="))
	}
	if open, width := quoteAt(s, v, end); open != 0 {
		to := closing(s, v+width, end, open, width)
		r.value(max(kind, boolKind(header)), n, v+width, to)
		return to
	}
	if code(s[v:min(end, v+64)]) { // looked into by what follows
		return 0
	}
	to = valueEnd(s, v, end)
	if scheme(s[v:end]) > 0 && (s[v] < 'a' || header) {
		to = valueEnd(s, v+scheme(s[v:end]), end)
	}
	value := s[v:to]
	if kind == weak && !given(n, value) {
		r.weakUntil = to
		return 0
	}
	if s[i] == ':' && kind != none && prose(s, value, from, v > blanks, to, start, end) {
		return 0
	}
	r.value(kind, n, v, to)
	return to
}

// sibling says what the name makes of a value that stands before s[from] in
// name=TOKEN,value=x, or in {"name":"TOKEN","value":"x"}.
func sibling(s string, start, from int) kind {
	to := from
	back := func(bytes string) {
		for to > start && from-to < 64 && strings.IndexByte(bytes, s[to-1]) >= 0 {
			to--
		}
	}
	back("0123456789[]\"'\\ ")                          // "value": env[0].value
	for to > start && from-to < 64 && letter(s[to-1]) { // env
		to--
	}
	back("\"'\\ ")
	if to == start || s[to-1] != ',' {
		return none
	}
	to--
	back("\"'\\ ")
	end := to
	for to > start && end-to < 64 && nameByte(s[to-1]) {
		to--
	}
	secret := s[to:end]
	back("\"'\\ ")
	if to == start || s[to-1] != '=' && s[to-1] != ':' {
		return none
	}
	at, end, _, _ := name(s, start, to-1)
	if label := s[at:end]; (hasSuffixFold(label, "name") || hasSuffixFold(label, "key")) && secretName(secret) == strong {
		return strong
	}
	return none
}

// weakMax bounds how far the end of a value is looked for that may be none.
const weakMax = 512

func boolKind(b bool) kind {
	if b {
		return strong
	}
	return none
}

// name returns the name that ends before the separator at i, the quote before
// it, and whether blanks stand between.
func name(s string, start, i int) (from, to int, quote byte, spaced bool) {
	to = i
	for to > start && (s[to-1] == ' ' || s[to-1] == '\t') && i-to < 8 {
		to--
	}
	spaced = to < i
	for to > start && strings.IndexByte(`"'\]`, s[to-1]) >= 0 && i-to < 12 {
		to--
	}
	from = to
	for from > start && nameByte(s[from-1]) && to-from < 64 {
		from--
	}
	if from > start && (s[from-1] == '"' || s[from-1] == '\'') {
		quote = s[from-1]
	}
	return from, to, quote, spaced
}

// header reports whether all of a header's value is secret.
func header(n string) bool {
	n = strings.TrimLeft(n, "-")
	return strings.EqualFold(n, "cookie") || strings.EqualFold(n, "set-cookie") || hasSuffixFold(n, "authorization")
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && hasPrefixFold(s[len(s)-len(suffix):], suffix)
}

func containsFold(s, part string) bool {
	for i := range len(s) {
		if hasPrefixFold(s[i:], part) {
			return true
		}
	}
	return false
}

// header redacts a header's value, which ends where its quote or line does,
// or, where all of an argument is the header, where that does.
func (r *Redactor) header(n string, kind kind, v, end int, quote byte, all bool) int {
	to := end
	if quote != 0 {
		to = closing(r.s, v, end, quote, 1)
	} else if line := strings.IndexAny(r.s[v:end], "\n\r"); all {
		if line >= 0 {
			to = v + line
		}
	} else if line := strings.IndexAny(r.s[v:end], "\"'\n\r"); line >= 0 {
		to = v + line
	}
	r.value(max(kind, strong), n, v, to)
	return to
}

// quoted redacts the quoted string at i after PASSWORD or IDENTIFIED BY, as
// SQL has it.
func (r *Redactor) quoted(i, start, end int) int {
	s := r.s[start:i]
	switch {
	case strings.HasSuffix(s, " "):
		s = s[:len(s)-1]
	case strings.HasSuffix(s, "("):
		if s = s[:len(s)-1]; !hasSuffixFold(s, " password") && !hasSuffixFold(s, "=password") {
			return 0
		}
	default:
		return 0
	}
	if s == "" || !letter(s[len(s)-1]) && s[len(s)-1] != '=' {
		return 0
	}
	if hasSuffixFold(s, "send") { // expect types it
		if to := closing(r.s, i+1, end, r.s[i], 1); strings.HasSuffix(r.s[i+1:to], `\r`) {
			r.value(strong, "password", i+1, to-2)
			return to
		}
	}
	if !asks(s) {
		return 0
	}
	to := closing(r.s, i+1, end, r.s[i], 1)
	r.value(strong, "password", i+1, to)
	return to
}

// asks reports whether a password's quoted string follows s in SQL.
func asks(s string) bool {
	if hasSuffixFold(s, "password") {
		return hasSuffixFold(s, " password") || hasSuffixFold(s, "=password")
	}
	near := s[max(0, len(s)-64):]
	if strings.HasSuffix(s, "=") {
		return containsFold(near, "set password for")
	}
	for _, w := range [...]string{" by", " as", " using", " replace"} {
		if hasSuffixFold(s, w) {
			return containsFold(near, "identified ")
		}
	}
	return false
}

// bearer redacts what follows "Bearer " outside of a header.
func (r *Redactor) bearer(i, start, end int) int {
	if !hasSuffixFold(r.s[start:i], "bearer") {
		return 0
	}
	to := valueEnd(r.s, i+1, end)
	if v := r.s[i+1 : to]; len(v) < 8 || wordy(v) {
		return 0
	}
	r.value(strong, "token", i+1, to)
	return to
}

// element redacts what stands in <password>…</password>.
func (r *Redactor) element(i, start, end int) int {
	from, to, _, _ := name(r.s, start, i)
	if from == to || from == start || r.s[from-1] != '<' || secretName(r.s[from:to]) != strong {
		return 0
	}
	close := strings.IndexByte(r.s[i+1:end], '<')
	if close < 0 || strings.HasPrefix(r.s[i+1:end], redacted) {
		return 0
	}
	r.value(strong, r.s[from:to], i+1, i+1+close)
	return i + 1 + close
}
