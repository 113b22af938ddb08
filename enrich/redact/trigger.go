package redact

import (
	"slices"
	"strings"
)

// triggers finds out, in one pass over the bytes, that a list holds nothing to
// look at, as most do: three bytes at a time are looked up in a bit set, and
// only where that hits are they compared with the triggers.
type triggers struct {
	bits     [1 << 15 / 64]uint64
	bucket   [1 << 15]uint8 // of the triggers with these first three bytes
	triggers [256][]trigger
	buckets  uint8
}

// trigger is a string in lower case; a word has no letter or digit beside it.
type trigger struct {
	text string
	word bool
}

// stems: every rule is about a list that holds one of these, in any case, or
// the prefix of a shape, or the name of a program. No other list is looked at.
var stems = []string{
	"pass", "pwd", "pswd", "upw", "opw", "-pw", "_pw", "pw=", "secret", "token", "key", "auth", "cred", "cookie", "jwt", "psk",
	"sig", "login", "appid", "session", "sessid", "sid=", "-sid", "_sid", "bearer", "identified", "sudo -s",
	"://", "@tcp(", "@unix(", "honeycomb", ".account.key.", ":thin:", ":aa", ".atlasv1", "-----begin",
}

func newTriggers() *triggers {
	t := &triggers{}
	for _, s := range stems {
		t.add(s, false)
	}
	for _, s := range shapes {
		if len(s.prefix) > 2 {
			t.add(s.prefix, false)
			continue
		}
		for _, c := range "0123456789abcdef" {
			t.add(s.prefix+string(c), false)
		}
	}
	var named []string
	for name, rules := range programs {
		if !slices.ContainsFunc(rules, func(p program) bool { return !t.any(p.sub) }) {
			continue // a stem
		}
		named = append(named, name)
	}
	for name := range readers {
		if name[0] != '-' {
			named = append(named, name)
		}
	}
	for _, name := range named {
		t.add(name, true)
	}
	return t
}

func (t *triggers) add(s string, word bool) {
	s = strings.ToLower(s)
	code := uint16(classes[s[0]])<<10 | uint16(classes[s[1]])<<5
	if len(s) > 2 {
		code |= uint16(classes[s[2]])
	} // else 0, as the NUL or blank that ends the word
	if t.bits[code>>6]&(1<<(code&63)) == 0 {
		t.bits[code>>6] |= 1 << (code & 63)
		t.buckets++
		t.bucket[code] = t.buckets
	}
	t.triggers[t.bucket[code]] = append(t.triggers[t.bucket[code]], trigger{s, word})
}

// classes are 5 bits for a byte; letters fold, and all rare bytes are one.
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
	return len(s) == 2 || len(s) > 2 && t.at(code<<5&0x7fff, s, len(s)-2) // a list cut after a word of two letters
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
