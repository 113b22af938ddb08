package redact

import "strings"

// text searches s[start:end], which may be anything: a header, a URL, JSON, a
// connection string, a script. It reads each byte a bounded number of times, and
// skips what was taken for a value.
func (r *Redactor) text(start, end int) {
	s := r.s
	for i := start; i < end; i++ {
		c := s[i]
		next := 0
		switch {
		case alnum(c):
			if i > start && alnum(s[i-1]) && !escaped(s, i) || len(r.formats[c]) == 0 {
				continue
			}
			next = r.token(i, end)
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
		case c == '(':
			next = r.call(i, start, end)
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

// escaped reports whether s[i] starts a word after an escape: \n or %3D.
func escaped(s string, i int) bool {
	return i >= 2 && s[i-2] == '\\' || i >= 3 && s[i-3] == '%'
}

// assignment redacts the value after the = or : at i if the name before it
// calls for that, and returns the end of the value.
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
	from, to, quote, spaced := nameBefore(s, start, i)
	if from == to {
		return 0
	}
	n := s[from:to]
	is := secretName(n)
	header := s[i] == ':' && secretHeader(n)
	if is == none && hasSuffixFold(n, "value") {
		is = sibling(s, start, from)
	}
	if is == weak && query(s, n, start, from, i, end) || hasSuffixFold(n, "key") && hasSuffixFold(s[start:from], "pragma ") {
		is = strong
	}
	if is == none && !header || card(s, n, start, from) {
		return 0
	}
	if s[i] == ':' && i+1 < end && letter(s[i+1]) && verbs[s[i+1:valueEnd(s, i+1, min(end, i+16))]] { // secret:list
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
	if v >= end || quote != 0 && s[v] == quote && s[to] != quote || // "password:"
		v == blanks && v+1 < end && (s[v] == '"' || s[v] == '\'') && (s[v+1] == ';' || s[v+1] == ')') { // "New password:";
		return 0
	}
	if is == weak && !header {
		if s[i] == ':' && v == blanks && s[v] != '"' {
			return 0
		}
		if i < r.weakUntil { // inside a value that was searched
			return 0
		}
		end = min(end, v+weakMax)
	}
	if header && (quote == 0 || s[to] != quote) {
		return r.header(n, is, v, end, quote, from == start || strings.HasSuffix(s[start:from], "--header="))
	}
	if open, width := quoteAt(s, v, end); open != 0 {
		to := closing(s, v+width, end, open, width)
		if header {
			is = strong
		}
		r.value(is, n, v+width, to)
		return to
	}
	if code(s[v:min(end, v+64)]) { // its parts are searched next
		return 0
	}
	to = valueEnd(s, v, end)
	if scheme(s[v:end]) > 0 && (s[v] < 'a' || header) {
		to = valueEnd(s, v+scheme(s[v:end]), end)
	}
	value := s[v:to]
	if is == weak && !secretLike(n, value) {
		r.weakUntil = to
		return 0
	}
	if s[i] == ':' && is != none && prose(s, value, from, v > blanks, to, start, end) {
		return 0
	}
	r.value(is, n, v, to)
	return to
}

// sibling returns the secrecy of the "value" at s[from] by the "name" before it,
// as in name=TOKEN,value=x or {"name":"TOKEN","value":"x"}.
func sibling(s string, start, from int) secrecy {
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
	at, end, _, _ := nameBefore(s, start, to-1)
	if label := s[at:end]; (hasSuffixFold(label, "name") || hasSuffixFold(label, "key")) && secretName(secret) == strong {
		return strong
	}
	return none
}

// verbs follow a noun and a colon in the names of subcommands.
var verbs = set("list create delete get add remove update show access")

// query reports whether the weak name n before the separator at i is that of a
// signature in a URL: ?sig=, &Signature=. A signature is what makes the URL work.
func query(s, n string, start, from, i, end int) bool {
	if from == start || s[from-1] != '?' && s[from-1] != '&' || s[i] != '=' || !strings.EqualFold(n, "sig") && !hasSuffixFold(n, "signature") {
		return false
	}
	return valueEnd(s, i+1, min(end, i+9)) >= i+9
}

// card reports whether n is the name of a token as PKCS #11 has them, which is a card.
func card(s, n string, start, from int) bool {
	return n == "token" && from > start && strings.Contains(s[max(start, from-64):from], "pkcs11:")
}

// weakMax bounds the search for the end of a weak name's value.
const weakMax = 512

// nameBefore returns the name that ends before the separator at i, its opening
// quote, and whether blanks stand between name and separator.
func nameBefore(s string, start, i int) (from, to int, quote byte, spaced bool) {
	to = i
	for to > start && (s[to-1] == ' ' || s[to-1] == '\t') && i-to < 8 {
		to--
	}
	spaced = to < i
	for to > start && strings.IndexByte(`"'\]}`, s[to-1]) >= 0 && i-to < 12 {
		to--
	}
	brace := to < i && s[to] == '}'
	from = to
	for from > start && nameByte(s[from-1]) && to-from < 64 {
		from--
	}
	if brace && (from < start+2 || s[from-1] != '{' || !letter(s[from-2])) { // $ENV{NAME} =
		return from, from, 0, false
	}
	if from > start && (s[from-1] == '"' || s[from-1] == '\'') {
		quote = s[from-1]
	}
	return from, to, quote, spaced
}

// secretHeader reports whether the whole value of the header is secret.
func secretHeader(n string) bool {
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

// header redacts a header's value. It ends with its quote or line or, where the
// whole argument is the header, with the argument.
func (r *Redactor) header(n string, is secrecy, v, end int, quote byte, all bool) int {
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
	r.value(max(is, strong), n, v, to)
	return to
}

// quoted redacts the quoted string at i after SQL's PASSWORD or IDENTIFIED BY.
func (r *Redactor) quoted(i, start, end int) int {
	s := r.s[start:i]
	if to := r.typed(i, end, s); to > 0 {
		return to
	}
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
	if s == "" || !letter(s[len(s)-1]) && strings.IndexByte("=]", s[len(s)-1]) < 0 || !asks(s) {
		return 0
	}
	to := closing(r.s, i+1, end, r.s[i], 1)
	if hasSuffixFold(s, "credentials") && strings.Contains(r.s[i+1:to], "=") {
		return 0 // CREDENTIALS 'name=value;…'
	}
	r.value(strong, "password", i+1, to)
	return to
}

// asks reports whether SQL, or a language like it, expects a quoted secret after s.
func asks(s string) bool {
	if hasSuffixFold(s, "password") {
		return hasSuffixFold(s, " password") || hasSuffixFold(s, "=password")
	}
	near := s[max(0, len(s)-64):]
	word := len(near)
	for word > 0 && (letter(near[word-1]) || near[word-1] == '_') {
		word--
	}
	switch last := near[word:]; {
	case strings.HasSuffix(s, "="):
		return containsFold(near, "set password for")
	case strings.HasSuffix(s, "]"): // ["db"]["password"] "x"
		key := strings.TrimRight(s[:len(s)-1], `"'`)
		from, to, _, _ := nameBefore(key, 0, len(key))
		return len(key) < len(s)-1 && secretName(key[from:to]) == strong
	case hasSuffixFold(s, "securestring"), hasSuffixFold(s, "-string") && containsFold(near, "securestring"):
		return true
	case upperName(last) && secretName(last) == strong: // SECRET 'x'
		return true
	}
	for _, w := range [...]string{" by", " as", " using", " replace"} {
		if hasSuffixFold(s, w) {
			return containsFold(near, "identified ")
		}
	}
	return false
}

// bearer redacts the token after "Bearer " outside a header.
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

// element redacts the content of <password>…</password>.
func (r *Redactor) element(i, start, end int) int {
	from, to, _, _ := nameBefore(r.s, start, i)
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
