package redact

import "strings"

// call describes a function that takes a secret: which argument it is, counted from 1,
// and what precedes the name. A setter's second argument is a secret if the first is
// the name of one.
type call struct {
	argument int
	after    string
	setter   bool
}

// calls by name, in lower case.
var calls = map[string]call{
	"set_password": {argument: 3}, "login": {argument: 2, after: "."}, "httpbasicauth": {argument: 2}, "basicauth": {argument: 2},
	"basic_auth": {argument: 2}, "auth=": {argument: 2}, "simple_bind_s": {argument: 2}, "simple_bind": {argument: 2},
	"ftp": {argument: 3, after: "."}, "ftp_tls": {argument: 3}, "pdo": {argument: 3, after: " "}, "mysqli": {argument: 3},
	"mysqli_connect": {argument: 3}, "connect": {argument: 3, after: "DBI->"}, "credentials": {argument: 4, after: "->"},
	"pgp_sym_encrypt": {argument: 2}, "pgp_sym_decrypt": {argument: 2},
	"setenv": {setter: true}, "putenv": {setter: true}, "put_env": {setter: true}, "setdefault": {setter: true},
	"define": {setter: true}, "setitem": {setter: true}, "set": {setter: true, after: "env."}, "set_env": {setter: true},
	"setproperty": {setter: true},
}

// argumentMax bounds the length of an argument.
const argumentMax = 256

// call redacts the secret among the arguments of the call whose parenthesis is at i.
func (r *Redactor) call(i, start, end int) int {
	var name [16]byte
	n := 0
	for n < len(name) && i-n > start && (letter(r.s[i-n-1]) || r.s[i-n-1] == '_' || n == 0 && r.s[i-1] == '=') {
		n++
		name[len(name)-n] = lower(r.s[i-n])
	}
	c, ok := calls[string(name[len(name)-n:])]
	if !ok || !strings.HasSuffix(r.s[start:i-n], c.after) {
		return 0
	}
	if !c.setter {
		return r.callArgument(i, end, c.argument)
	}
	if from, to, quoted := literal(r.s, i+1, end); quoted && secretName(r.s[from:to]) == strong {
		return r.callArgument(i, end, 2)
	}
	return 0
}

// callArgument redacts argument n, if it is a literal, and returns its end.
func (r *Redactor) callArgument(i, end, n int) int {
	at := i + 1
	for ; n > 1; n-- {
		_, to, quoted := literal(r.s, at, end)
		if quoted {
			to++
		}
		for to < end && r.s[to] == ' ' {
			to++
		}
		if to >= end || r.s[to] != ',' {
			return 0
		}
		at = to + 1
	}
	from, to, quoted := literal(r.s, at, end)
	if !quoted {
		return 0
	}
	r.value(strong, "password", from, to)
	return to
}

// literal returns the content of the string at s[at], after blanks and a prefix such
// as Python's b; or, unless that is quoted, the expression up to a comma or
// parenthesis.
func literal(s string, at, end int) (from, to int, quoted bool) {
	end = min(end, at+argumentMax)
	for at < end && s[at] == ' ' {
		at++
	}
	v := at
	if v+1 < end && letter(s[v]) {
		v++
	}
	if open, width := quoteAt(s, v, end); open != 0 {
		return v + width, closing(s, v+width, end, open, width), true
	}
	open := 0
	for to = at; to < end; to++ {
		switch s[to] {
		case '(', '[':
			open++
		case ')', ']':
			open--
		}
		if open < 0 || open == 0 && s[to] == ',' {
			break
		}
	}
	return at, to, false
}

// typists are the functions and commands by which expect, pexpect and their like type
// a line.
var typists = []string{"send", "sendline", "write", "puts"}

// prompts are what programs print before they read a secret.
var prompts = []string{"assword", "passwd", "asswort", "assphrase", "asscode", "kennwort", "pin:", "otp", "verification code", "one-time", "secret", "token:"}

// promptMax bounds the text from a prompt to the answer.
const promptMax = 128

// typed redacts the quoted string at i if it answers a prompt: expect "assword:"; send
// "x\r". s is the text before it.
func (r *Redactor) typed(i, end int, s string) int {
	s = strings.TrimSuffix(strings.TrimRight(s, " (b"), " --")
	near := s
	for _, t := range typists {
		if hasSuffixFold(s, t) {
			near = s[max(0, len(s)-promptMax) : len(s)-len(t)]
		}
	}
	if len(near) == len(s) {
		return 0
	}
	for _, t := range typists { // the prompt since the line before
		if at := strings.LastIndex(near, t); at >= 0 {
			near = near[at+len(t):]
			if at := strings.IndexAny(near, "\"'"); at >= 0 {
				near = near[closing(near, at+1, len(near), near[at], 1):]
			}
		}
	}
	for _, p := range prompts {
		if !containsFold(near, p) {
			continue
		}
		from, to := i+1, closing(r.s, i+1, end, r.s[i], 1)
		for _, enter := range [...]string{`\n`, `\r`} {
			to = from + len(strings.TrimSuffix(r.s[from:to], enter))
		}
		r.value(strong, "password", from, to)
		return to
	}
	return 0
}

// substitution redacts VALUE in the word s/NAME/VALUE/ of a sed script if NAME is the
// placeholder of a secret: @TOKEN@, __TOKEN__, ${TOKEN}.
func (r *Redactor) substitution(w word) {
	arg := r.s[w.start:w.end]
	if len(arg) < 6 || arg[0] != 's' || strings.IndexByte("/|#,!", arg[1]) < 0 {
		return
	}
	name, rest, ok := strings.Cut(arg[2:], arg[1:2])
	value, _, closed := strings.Cut(rest, arg[1:2])
	bare := strings.Trim(name, `@_%{}$<>\`)
	if !ok || !closed || bare == name || secretName(bare) != strong || upperName(value) || wordy(value) {
		return
	}
	from := w.start + 2 + len(name) + 1
	r.value(strong, bare, from, from+len(value))
}
