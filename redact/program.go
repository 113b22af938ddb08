package redact

import "strings"

// depthMax bounds scripts within scripts.
const depthMax = 3

// hereMax bounds how many words before a <<< are searched.
const hereMax = 16

// command searches the n words from words[base] on: flags with their values,
// what programs receive, and words that are scripts.
func (r *Redactor) command(base, n, depth int) {
	var rules []program    // of the current program
	var begin, head int    // its first argument; the first word of the command
	var echo, written word // the last word of the current echo, and of one whose output is read
	for i := range n {
		w := r.words[base+i]
		arg := r.s[w.start:w.end]
		if w.first {
			if written = (word{}); w.piped {
				written = echo
			}
			rules, echo, head = nil, word{}, i
		}
		if written.end > 0 {
			r.reads(base+i, written, rules)
		}
		for j := base + max(head, i-hereMax); w.here && j < base+i; j++ {
			r.reads(j, w, rules)
		}
		if rules == nil || rules[0].wraps {
			program := arg[strings.LastIndexByte(arg, '/')+1:]
			r.refers = r.refers || references[program]
			if p := programs[program]; p != nil && (i == 0 || !containers[r.arg(base+i-1)]) {
				rules, begin = p, i+1
				r.positionals(base+begin, base+n, rules)
			}
		}
		if w.first && (arg == "echo" || arg == "printf") {
			echo = w
		} else if echo.end > 0 {
			echo = w
		}
		r.substitution(w)
		glued := false // arg holds its value and is not a flag of its own: mysql -psecret
		for _, p := range rules {
			if p.head && i > begin && r.arg(base + i - 1)[:min(1, len(r.arg(base+i-1)))] != "-" {
				continue
			}
			if i >= begin && len(arg) > 1 && p.flags != "" && (p.flags[0] == '-') == (arg[0] == '-') && (p.sub == "" || r.seen(base+begin, base+i, p.sub)) {
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

// several reports whether arg may be a script: it has more than one word.
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
		if strings.EqualFold(r.arg(i), sub) {
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

// set redacts the value after a name without dashes: set NAME value, --arg NAME
// value.
func (r *Redactor) set(previous, arg string, next word) {
	switch previous {
	case "set", "config", "--arg", "--build-arg":
	default:
		return
	}
	if arg == "" || arg[0] == '-' || strings.ContainsAny(arg, "[,(") || r.s[next.start:next.end] == "" || r.s[next.start] == '-' {
		return
	}
	if !strings.Contains(arg, "=") && secretName(arg) == strong && !asksFor(arg) && !strings.HasPrefix(arg, "set-") {
		r.value(strong, arg, next.start, next.end)
	}
}

// rule applies p's flags to the word w; next is the index of the word after it.
// It reports whether w is one of the flags, with its value.
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
		start := r.valueAt(arg, f, p.bundle)
		switch {
		case start == 0:
		case start == len(arg):
			if how == '+' {
				continue
			}
			for ; next < end && !r.words[next].first && r.arg(next) != "" && r.arg(next)[0] != '-'; next++ {
				r.part(how, r.words[next].start, r.words[next].end)
				if how != '~' {
					break
				}
			}
		case (how != '_' || arg[start] == '=') && !long(arg):
			if arg[start] == '=' {
				start++
			}
			r.part(how, w.start+start, w.end)
			withValue = true
		}
	}
	return withValue
}

// valueAt returns where in arg the value of flag starts: len(arg) if the value
// is the next word, 0 if arg is another flag.
func (r *Redactor) valueAt(arg, flag, bundle string) int {
	if len(flag) == 2 && flag[0] == '-' {
		for i := 1; i < min(len(arg), 8) && arg[0] == '-'; i++ {
			if arg[i] == flag[1] {
				return i + 1
			}
			if strings.IndexByte(bundle, arg[i]) < 0 {
				break
			}
		}
		return 0
	}
	n := len(flag)
	if strings.HasPrefix(arg, flag) && (n == len(arg) || arg[n] == '=' || n == 3 && flag[0] == '-' && flag[1] != '-') {
		return n
	}
	return 0
}

// long reports whether a flag with one dash is a word, such as -port, and not a
// letter with its value.
func long(arg string) bool {
	switch arg {
	case "-proto", "-port", "-print", "-pass", "-passin", "-passout", "-passwd", "-password":
		return true
	}
	return false
}

// part redacts the secret in s[start:end], the value of a program's flag: all of
// it, or what follows the separator how.
func (r *Redactor) part(how byte, start, end int) {
	start, end = unquote(r.s, start, end)
	switch how {
	case ':', '%', ',':
		if strings.HasPrefix(r.s[start:end], "pkcs11:") { // a URI
			return
		}
		at := strings.IndexByte(r.s[start:end], how)
		switch {
		case at < 0 && (how != ':' || end < len(r.s) || !random(r.s[start:end])):
			return
		case at < 0: // cut before its colon
		case start+at+1 == end && random(r.s[start:start+at]): // a key without a password
			end--
		default:
			start += at + 1
		}
	case '~':
		name, _, ok := strings.Cut(r.s[start:end], "=")
		var last [32]byte
		if n, _ := lastWord(name, &last); !ok || addresses[string(last[:n])] {
			return
		}
		start += len(name) + 1
	case '=':
		if eq := strings.IndexByte(r.s[start:end], '='); eq <= 0 || end-start-eq <= 4 {
			return // a file of cookies, or a switch
		}
	}
	if secretName(r.s[start:end]) == strong && wordy(r.s[start:end]) {
		r.hide(start, end) // after a flag, the word "secret" is a value
		return
	}
	r.value(strong, "password", start, end)
}

// positionals redacts the positional secrets from words[from] to the end of the
// command.
func (r *Redactor) positionals(from, to int, rules []program) {
	for _, p := range rules {
		if p.position == "" {
			continue
		}
		count, last, seen, flagged, lettered := 0, -1, p.sub == "", false, p.letter == 0
		for i := from; i < to && !r.words[i].first; i++ {
			arg := r.arg(i)
			if !seen {
				seen = strings.EqualFold(arg, p.sub) || p.sub == "authtoken" && strings.HasSuffix(arg, "authtoken")
				continue
			}
			if arg == "" || arg[0] == '-' || arg[0] == '+' && strings.HasPrefix(p.sub, "+") {
				flagged = true
				lettered = lettered || !strings.HasPrefix(arg, "--") && strings.IndexByte(arg, p.letter) > 0
				continue
			}
			if p.position != "last" && r.valueOfFlag(i, from) {
				continue
			}
			count++
			last = i
			if p.position == "pairs" {
				if i+1 < to && !r.words[i+1].first && secretName(arg) == strong && !strings.Contains(arg, "=") {
					r.part(0, r.words[i+1].start, r.words[i+1].end)
				}
				continue
			}
			r.positional(p.position, count, flagged, r.words[i])
		}
		if p.position == "last" && last >= 0 && lettered && count > 0 && (p.letter == 0 || count >= 2) && !r.valueOfFlag(last, from) {
			r.part(0, r.words[last].start, r.words[last].end)
		}
	}
}

// positional redacts the secret in w, the positional argument number count, if
// that is the position.
func (r *Redactor) positional(position string, count int, flagged bool, w word) {
	arg := r.s[w.start:w.end]
	switch position {
	case "last":
	case "slash":
		if arg[0] != '/' && arg[0] != '@' {
			r.slash(w.start, w.end)
		}
	case "colon":
		if at := strings.IndexByte(arg, ':'); at > 0 && !strings.HasPrefix(arg[at:], "://") {
			r.part(':', w.start, w.end)
		}
	case "at":
		if at := strings.LastIndexByte(arg, '@'); at > 0 {
			r.part(':', w.start, w.start+at)
		}
	case "~":
		r.part('~', w.start, w.end)
	case ">":
		if arg[0] == '>' {
			r.part(0, w.start+1, w.end)
		}
	case "p=":
		for at := 0; at < len(arg); at++ {
			if strings.HasPrefix(arg[at:], "p=") && (at == 0 || arg[at-1] == ',') {
				from := w.start + at + len("p=")
				r.part(0, from, valueEnd(r.s, from, w.end))
				return
			}
		}
	default:
		number := strings.Trim(position, "=?")
		if count > 9 || number[0] != byte('0'+count) || strings.Contains(arg, "://") || strings.Contains(strings.TrimRight(arg, "="), "=") {
			return
		}
		if position[0] == '=' && flagged || position != number && position[0] != '=' && !random(arg) {
			return
		}
		r.part(0, w.start, w.end)
	}
}

// valueOfFlag reports whether words[i] is the value of the flag before it, such as
// the method of mkpasswd -m.
func (r *Redactor) valueOfFlag(i, from int) bool { return i > from && valued[r.arg(i-1)] }

// reads redacts what the program or flag words[i], or the program with these rules,
// reads, if that is a secret.
func (r *Redactor) reads(i int, read word, rules []program) {
	arg := r.arg(i)
	for _, p := range rules {
		if p.stdin && arg == p.sub {
			r.part(0, read.start, read.end)
		}
	}
	if i > 0 && secretName(arg) == strong && arg[0] != '-' && r.commandIs(i, "read") {
		r.part(0, read.start, read.end)
	}
	if how, ok := readers[arg]; ok && (arg[0] == '-' && arg != "-S" || r.words[i].first || r.arg(i-1) == "sudo") {
		r.part(how, read.start, read.end)
	}
}

// commandIs reports whether the command of words[i] is name, up to three words before it.
func (r *Redactor) commandIs(i int, name string) bool {
	for from := max(0, i-3); i >= from; i-- {
		if r.words[i].first {
			return r.arg(i) == name
		}
	}
	return false
}
