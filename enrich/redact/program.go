package redact

import "strings"

// depthMax bounds scripts within scripts.
const depthMax = 3

// command looks at the n words from words[base] on: at flags whose value is
// the next word, at what their programs are given, and into words that are
// scripts.
func (r *Redactor) command(base, n, depth int) {
	var rules []program    // of the program at hand
	var begin int          // its first argument
	var echo, written word // the last word of the echo at hand, and of one whose output is read
	for i := range n {
		w := r.words[base+i]
		arg := r.s[w.start:w.end]
		if w.first {
			if written = (word{}); w.piped {
				written = echo
			}
			rules, echo = nil, word{}
		}
		r.reads(written, arg)
		if rules == nil || rules[0].wraps {
			program := arg[strings.LastIndexByte(arg, '/')+1:]
			r.refers = r.refers || references[program]
			if p := programs[program]; p != nil && (i == 0 || !containers[r.arg(base+i-1)]) {
				rules, begin = p, i+1
				r.places(base+begin, base+n, rules)
			}
		}
		if w.first && (arg == "echo" || arg == "printf") {
			echo = w
		} else if echo.end > 0 {
			echo = w
		}
		glued := false // arg holds its value, so it is no name: mysql -psecret
		for _, p := range rules {
			if p.head && i > begin && r.arg(base + i - 1)[:min(1, len(r.arg(base+i-1)))] != "-" {
				continue
			}
			if i >= begin && len(arg) > 1 && (p.sub == "" || r.seen(base+begin, base+i, p.sub)) {
				glued = r.rule(p, w, base+i+1, base+n) || glued
			}
		}
		if i+1 < n && !r.words[base+i+1].first {
			if !glued {
				r.flag(arg, r.words[base+i+1])
			}
			if i > 0 {
				r.set(r.arg(base+i-1), arg, r.words[base+i+1])
			}
		}
		if depth < depthMax && several(arg) {
			top := len(r.words)
			r.command(top, r.split(w.start, w.end), depth+1)
			r.words = r.words[:top]
		}
	}
}

// several reports whether arg may be a script, of several words.
func several(arg string) bool {
	for i := range len(arg) {
		if c := arg[i]; c == ' ' || c == '\n' || c == '\t' || c == ';' {
			return true
		}
	}
	return false
}

func (r *Redactor) arg(i int) string { return r.s[r.words[i].start:r.words[i].end] }

// seen reports whether sub is one of the first words from words[from] on.
func (r *Redactor) seen(from, to int, sub string) bool {
	for i := from; i < min(to, from+8); i++ {
		if r.arg(i) == sub {
			return true
		}
	}
	return false
}

// flag redacts the next word if arg is the flag of a secret.
func (r *Redactor) flag(arg string, next word) {
	if at := strings.Index(arg, "=-"); at >= 0 {
		arg = arg[at+1:] // ARGS=--password x
	}
	if len(arg) < 3 || arg[0] != '-' || strings.IndexByte(arg, '=') >= 0 || strings.IndexByte(arg, ':') >= 0 || strings.IndexByte(arg, ' ') >= 0 || r.s[next.start:next.end] == "" || r.s[next.start] == '-' {
		return
	}
	if r.refers && strings.TrimLeft(arg, "-") == "secret" || asksFor(arg) || strings.HasSuffix(arg, "auth-user-pass") {
		return
	}
	r.value(secretName(arg), arg, next.start, next.end)
}

// set redacts the value of a name that is no flag: set NAME value, --arg NAME
// value.
func (r *Redactor) set(previous, arg string, next word) {
	if (previous == "set" || previous == "config" || previous == "--arg" || previous == "--build-arg") && r.s[next.start:next.end] != "" && r.s[next.start] != '-' &&
		!strings.Contains(arg, "=") && secretName(arg) == strong && !asksFor(arg) && !strings.HasPrefix(arg, "set-") {
		r.value(strong, arg, next.start, next.end)
	}
}

// rule applies p's flags to the word w; next is the one after it. It reports
// whether w is one of them with its value.
func (r *Redactor) rule(p program, w word, next, end int) (withValue bool) {
	arg := r.s[w.start:w.end]
	for flags := p.flags; flags != ""; {
		var f string
		f, flags, _ = strings.Cut(flags, " ")
		how := byte(0)
		if c := f[len(f)-1]; !alnum(c) {
			f, how = f[:len(f)-1], c
		}
		if f == "/p" && how == ':' { // xfreerdp
			if strings.HasPrefix(arg, "/p:") {
				r.value(strong, "password", w.start+3, w.end)
			}
			continue
		}
		glued := strings.HasPrefix(f, "-") && !strings.HasPrefix(f, "--") && len(f) <= 3
		switch {
		case arg == f || glued && how == ':' && len(f) == 2 && bundle(arg, f[1]):
			if how != '+' && next < end && !r.words[next].first && r.arg(next) != "" && r.arg(next)[0] != '-' {
				r.part(how, r.words[next].start, r.words[next].end)
			}
		case strings.HasPrefix(arg, f) && (glued && how != '_' || !glued && strings.HasPrefix(arg[len(f):], "=")):
			start := w.start + len(f)
			if r.s[start] == '=' {
				start++
			}
			if long(arg) {
				continue
			}
			r.part(how, start, w.end)
			withValue = true
		}
	}
	return withValue
}

// long reports whether a flag with one dash is a word, as in -port or
// --passphrase-file: no secret is glued to its letter.
func long(arg string) bool {
	switch arg {
	case "-proto", "-port", "-print", "-pass", "-passin", "-passout", "-passwd", "-password":
		return true
	}
	return false
}

// bundle reports whether arg is several flags of one letter each, of which
// letter is the last.
func bundle(arg string, letter byte) bool {
	if len(arg) < 3 || len(arg) > 8 || arg[0] != '-' || arg[len(arg)-1] != letter {
		return false
	}
	return strings.Trim(arg[1:len(arg)-1], "sSkLfivgjNORIn#0123") == ""
}

// part redacts the secret of a program's flag: all of s[start:end], or what
// follows the separator.
func (r *Redactor) part(how byte, start, end int) {
	start, end = unquote(r.s, start, end)
	switch how {
	case ':', '%', ',':
		at := strings.IndexByte(r.s[start:end], how)
		if at < 0 {
			return
		}
		start += at + 1
	case '=':
		if strings.IndexByte(r.s[start:end], '=') <= 0 {
			return // a file of cookies
		}
	}
	if secretName(r.s[start:end]) == strong && wordy(r.s[start:end]) {
		r.hide(start, end) // after a flag, "secret" is one
		return
	}
	r.value(strong, "password", start, end)
}

// places redacts the positional secrets in the words from words[from] to the
// end of the command.
func (r *Redactor) places(from, to int, rules []program) {
	for _, p := range rules {
		if p.place == "" {
			continue
		}
		count, last, seen, lettered := 0, -1, p.sub == "", p.letter == 0
		for i := from; i < to && !r.words[i].first; i++ {
			arg := r.arg(i)
			if !seen {
				seen = arg == p.sub || p.sub == "authtoken" && strings.HasSuffix(arg, "authtoken")
				continue
			}
			if arg == "" || arg[0] == '-' {
				lettered = lettered || !strings.HasPrefix(arg, "--") && strings.IndexByte(arg, p.letter) > 0
				continue
			}
			count++
			last = i
			w := r.words[i]
			switch {
			case p.place == "slash" && arg[0] != '/' && arg[0] != '@':
				r.slash(w.start, w.end)
			case p.place == "colon":
				if at := strings.IndexByte(arg, ':'); at > 0 && !strings.HasPrefix(arg[at:], "://") {
					r.value(strong, "password", w.start+at+1, w.end)
				}
			case count < 10 && p.place == string(rune('0'+count)) && strings.IndexByte(arg, '=') < 0:
				r.value(strong, "password", w.start, w.end)
			}
		}
		if p.place == "last" && last >= 0 && lettered && count > 0 && (p.letter == 0 || count >= 2) && !r.valueOfFlag(last, from) {
			r.value(strong, "password", r.words[last].start, r.words[last].end)
		}
	}
}

// valueOfFlag reports whether words[i] belongs to the flag before it, as the
// method of mkpasswd -m does.
func (r *Redactor) valueOfFlag(i, from int) bool {
	return i > from && (r.arg(i-1) == "-m" || r.arg(i-1) == "-in" || r.arg(i-1) == "-salt")
}

// reads redacts what an echo has written to a program that reads a secret.
func (r *Redactor) reads(written word, arg string) {
	if written.end == 0 {
		return
	}
	switch arg {
	case "--password-stdin", "--passphrase-fd", "--with-token", "--stdin", "-S", "--pass-stdin", "--key-file=-":
		r.value(strong, "password", written.start, written.end)
	case "chpasswd":
		if at := strings.IndexByte(r.s[written.start:written.end], ':'); at >= 0 {
			r.value(strong, "password", written.start+at+1, written.end)
		}
	}
}
