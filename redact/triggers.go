package redact

import (
	"slices"
	"strings"
)

// triggers is a filter that passes most input in one scan, because no rule can
// apply to it. It looks up three bytes at a time in a bit set and compares with
// the triggers only after a hit.
type triggers struct {
	bits     [1 << 15 / 64]uint64
	bucket   [1 << 15]uint8 // of the triggers with these first three bytes
	triggers [256][]trigger
	buckets  uint8
}

// trigger is a string in lower case. Before and after a word there is no
// nameByte.
type trigger struct {
	text string
	word bool
}

// stems: every rule requires one of these, in any case, or the prefix of a token
// format, or the name of a program.
var stems = []string{
	"pass", "pwd", "pswd", "upw", "opw", "-pw", "_pw", "pw=", "secret", "token", "key", "auth", "cred", "cookie", "jwt", "psk",
	"sig", "login", "appid", "session", "sessid", "sid=", "-sid", "_sid", "bearer", "identified", "sudo -s",
	"assword", "asswort", "assphrase", "kennwort", "verification code", "otp", "mfa", "2fa", "-pin", "_pin", "pin=", "pin:", "hmac", "mnemonic",
	"-code", "_code", "_bind", ".ftp(", "ftp_tls(", " pdo(", "mysqli", "dbi->", "pgp_sym", "securestr",
	"://", "@tcp(", "@unix(", "honeycomb", ".account.key.", ":thin:", ":aa", ".atlasv1", "-----begin",
}

func newTriggers() *triggers {
	t := &triggers{}
	for _, s := range stems {
		t.add(s, false)
	}
	for _, s := range tokenFormats {
		if len(s.prefix) > 2 {
			t.add(s.prefix, false)
			continue
		}
		for _, c := range "0123456789abcdef" {
			t.add(s.prefix+string(c), false)
		}
	}
	var names []string
	for name, rules := range programs {
		if !slices.ContainsFunc(rules, func(p program) bool { return !t.any(p.sub) && p.position != "pairs" }) {
			continue // its rules require a stem
		}
		names = append(names, name)
	}
	for name := range readers {
		if name[0] != '-' {
			names = append(names, name)
		}
	}
	for _, name := range names {
		t.add(name, true)
	}
	return t
}

func (t *triggers) add(s string, word bool) {
	s = strings.ToLower(s)
	code := uint16(classes[s[0]])<<10 | uint16(classes[s[1]])<<5
	if len(s) > 2 {
		code |= uint16(classes[s[2]])
	} // else 0: the NUL or blank that ends the word
	if t.bits[code>>6]&(1<<(code&63)) == 0 {
		t.bits[code>>6] |= 1 << (code & 63)
		t.buckets++
		t.bucket[code] = t.buckets
	}
	t.triggers[t.bucket[code]] = append(t.triggers[t.bucket[code]], trigger{s, word})
}

// classes map a byte to 5 bits: letters fold, and all rare bytes share one class.
var classes = func() (c [256]uint8) {
	for i := range 26 {
		c['a'+i], c['A'+i] = uint8(i+1), uint8(i+1)
	}
	for b := '0'; b <= '9'; b++ {
		c[b] = 27
	}
	c['-'], c['_'], c[':'], c['/'] = 28, 29, 30, 31
	return c
}()

func (t *triggers) any(s string) bool {
	var code uint16
	for i := range len(s) {
		code = code<<5&0x7fff | uint16(classes[s[i]])
		if t.bits[code>>6]&(1<<(code&63)) != 0 && i >= 2 && t.at(code, s, i-2) {
			return true
		}
	}
	return len(s) == 2 || len(s) > 2 && t.at(code<<5&0x7fff, s, len(s)-2) // input cut after a word of two letters
}

func (t *triggers) at(code uint16, s string, i int) bool {
	for _, c := range t.triggers[t.bucket[code]] {
		if !hasPrefixFold(s[i:], c.text) {
			continue
		}
		end := i + len(c.text)
		if !c.word || (i == 0 || !nameByte(s[i-1])) && (end == len(s) || !nameByte(s[end]) && s[end] != ':' && s[end] != '/') {
			return true
		}
	}
	return false
}

// hasPrefixFold reports whether s starts with prefix, which is in lower case.
func hasPrefixFold(s, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lower(s[i]) != prefix[i] {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
