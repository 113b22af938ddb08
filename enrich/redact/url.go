package redact

import "strings"

// hooks are the URLs whose path is a secret, after so many further parts of it.
var hooks = []struct {
	prefix string
	parts  int
}{
	{"hooks.slack.com/services/", 0}, {"hooks.slack.com/workflows/", 0}, {"hooks.slack.com/triggers/", 0},
	{"discord.com/api/webhooks/", 1}, {"discordapp.com/api/webhooks/", 1},
}

// authorityMax bounds how far a URL's host is looked for.
const authorityMax = 1024

// url redacts the secrets of the URL whose :// is at i. Its query is left to
// text, as name=value.
func (r *Redactor) url(i, start, end int) int {
	s := r.s
	from := i + len("://")
	slash, at := from, -1 // where the host ends, and its last @
	for ; slash < min(end, from+authorityMax) && !ends(s, slash); slash++ {
		if s[slash] == '@' {
			at = slash
		}
	}
	to := slash
	// A password may hold a slash: then what seems to be the port is none.
	colon := strings.IndexByte(s[from:slash], ':')
	user := colon >= 0 && s[from] != '[' && strings.Trim(s[from+colon+1:slash], "0123456789,:") != ""
	if at < 0 && user && slash >= r.atUntil {
		for to < min(end, from+authorityMax) && !blank(s[to]) {
			if s[to] == '@' {
				at = to
			}
			to++
		}
		if at < 0 {
			r.atUntil = to
		}
	}
	if at >= 0 {
		if colon := strings.IndexByte(s[from:at], ':'); colon >= 0 {
			v := s[from+colon+1 : at]
			switch {
			case v == "" || v == "x-oauth-basic": // the user is a token
				if random(s[from : from+colon]) {
					r.hide(from, from+colon)
				}
			case len(v) < 2 || !reference(v):
				r.hide(from+colon+1, at)
			}
		} else if random(s[from:at]) {
			r.hide(from, at)
		}
		return at
	}
	if slash == len(s) && user { // cut before its @
		r.value(strong, "password", from+colon+1, slash)
		return slash
	}
	if slash == len(s) && random(s[from:]) {
		r.hide(from, slash)
		return slash
	}
	for _, h := range hooks {
		if strings.HasPrefix(s[from:end], h.prefix) {
			secret := from + len(h.prefix)
			for range h.parts {
				secret += strings.IndexByte(s[secret:end], '/') + 1
			}
			to := valueEnd(s, secret, end)
			r.value(strong, "token", secret, to)
			return to
		}
	}
	// the webhooks of Teams
	if host := s[from:slash]; strings.HasSuffix(host, ".webhook.office.com") && slash < end {
		to := valueEnd(s, slash+1, end)
		r.value(strong, "token", slash+1, to)
		return to
	}
	return from
}

// ends reports whether a URL's host ends before s[i].
func ends(s string, i int) bool {
	switch s[i] {
	case '/', '?', '#':
		return true
	case '<':
		return !strings.HasPrefix(s[i:], redacted)
	case '>':
		return i+1 < len(redacted) || s[i+1-len(redacted):i+1] != redacted
	}
	return blank(s[i])
}

func blank(c byte) bool { return c <= ' ' || c == '"' || c == '\'' || c == '`' }

// slash redacts the password of user/password@host at i.
func (r *Redactor) slash(i, end int) {
	to := valueEnd(r.s, i, min(end, i+256))
	user, rest, ok := strings.Cut(r.s[i:to], "/")
	if !ok || user == "" || strings.ContainsAny(user, "@:.") {
		return
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[:at]
	}
	r.value(strong, "password", i+len(user)+1, i+len(user)+1+len(rest))
}

// dsn redacts the password of user:password@tcp(host) before the @ at i.
func (r *Redactor) dsn(i, start int) {
	s := r.s[max(start, i-256):i]
	s = s[strings.LastIndexAny(s, " \"'=/\n")+1:]
	if colon := strings.IndexByte(s, ':'); colon > 0 {
		r.value(strong, "password", i-len(s)+colon+1, i)
	}
}
