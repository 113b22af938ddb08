package redact

import "strings"

// hooks are URLs whose path is a secret after a prefix and some parts of it. The host is
// the whole one, or ends so if it begins with a dot.
var hooks = []struct {
	host, prefix string
	parts        int
	part         bool // the secret is one part of the path, not all the rest
}{
	{"hooks.slack.com", "/services/", 0, false}, {"hooks.slack.com", "/workflows/", 0, false}, {"hooks.slack.com", "/triggers/", 0, false},
	{"discord.com", "/api/webhooks/", 1, false}, {"discordapp.com", "/api/webhooks/", 1, false},
	{".webhook.office.com", "/", 0, false}, // Teams
	{".oraclecloud.com", "/p/", 0, true},   // pre-authenticated requests
}

// authorityMax bounds the search for the end of a URL's host.
const authorityMax = 1024

// url redacts the secrets of the URL whose :// is at i, except in its query,
// which text searches as name=value.
func (r *Redactor) url(i, start, end int) int {
	s := r.s
	from := i + len("://")
	slash, at := from, -1 // the end of the host; its last @
	for ; slash < min(end, from+authorityMax) && !hostEnds(s, slash); slash++ {
		if s[slash] == '@' {
			at = slash
		}
	}
	to := slash
	// A password may contain a slash: then the text after the colon is not a port.
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
		host := s[from:slash]
		if host != h.host && !(h.host[0] == '.' && strings.HasSuffix(host, h.host)) || !strings.HasPrefix(s[slash:end], h.prefix) {
			continue
		}
		secret := slash + len(h.prefix)
		for range h.parts {
			secret += strings.IndexByte(s[secret:end], '/') + 1
		}
		to := valueEnd(s, secret, end)
		if h.part {
			to = end // if it is cut
			if length := strings.IndexByte(s[secret:end], '/'); length >= 0 {
				to = secret + length
			}
		}
		r.value(strong, "token", secret, to)
		return to
	}
	return from
}

// hostEnds reports whether a URL's host ends at s[i].
func hostEnds(s string, i int) bool {
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
