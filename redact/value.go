package redact

import (
	"encoding/base64"
	"strings"
)

// plain are values that are switches or placeholders.
var plain = set(`true false yes no on off none null nil undefined auto prompt ask required optional never always
	stdin disabled enabled basic simple digest bearer string password token secret public
	empty missing unset invalid expired`)

// pointers are prefixes of values that tell where the secret is stored.
var pointers = []string{
	"id=", "src=", "source=", "type=", "file:", "env:", "fd:", "stdin:", "vault:", "arn:", "op://", "sm://", "ssm:", "secret:", "secret://", "keyring:", "refs/", "awskms://",
	"gcpkms://", "azurekms://", "hashivault://", "ref+", "projects/", "./", "../", "~/",
	"/bin/", "/boot/", "/data/", "/dev/", "/etc/", "/home/", "/media/", "/mnt/", "/opt/", "/proc/", "/root/", "/run/",
	"/sbin/", "/secrets/", "/srv/", "/sys/", "/tmp/", "/usr/", "/var/", "/vault/", "/app/", "/nix/", "/lib/", "/workspace/",
}

// keyFiles are the suffixes of files that hold secrets.
var keyFiles = []string{".json", ".pem", ".key", ".crt", ".p12", ".jks", ".txt", ".yaml", ".yml", ".conf", ".ini", ".env"}

// reference reports whether v is empty, masked, a switch or the location of a
// secret instead of the secret.
func reference(v string) bool {
	start, end := unquote(v, 0, len(v))
	v = v[start:end]
	if len(v) < 2 || strings.HasPrefix(v, redacted) && len(v) <= len(redacted)+1 || v == "..." || v == "…" {
		return true
	}
	if has(plain, v) || hasPrefixFold(v, "redacted") {
		return true
	}
	if len(v) == 20 && (strings.HasPrefix(v, "AKIA") || strings.HasPrefix(v, "ASIA")) { // the id of a key
		return true
	}
	if strings.Trim(v, "0123456789.") == "" && strings.Contains(v, ".") { // a version
		return true
	}
	switch c, next := v[0], v[1]; c {
	case '*':
		return next == '*'
	case 'x', 'X':
		if len(v) >= 3 && strings.Trim(v, "xX") == "" {
			return true
		}
	case '$':
		return variable(v)
	case '%':
		return len(v) == 2 || strings.HasSuffix(v, "%") && upperName(v[1:len(v)-1])
	case '{':
		return next == '{' && strings.HasSuffix(v, "}}") || strings.HasSuffix(v, "}") && upperName(v[1:len(v)-1])
	case '<':
		return strings.HasSuffix(v, ">") && !strings.ContainsAny(v[1:len(v)-1], "<>")
	case '@':
		return fileName(v[1:])
	}
	if v[0] == '/' && fileName(v) {
		for _, x := range keyFiles {
			if strings.HasSuffix(v, x) {
				return true
			}
		}
	}
	for _, p := range pointers {
		if strings.HasPrefix(v, p) {
			return fileName(v[len(p):])
		}
	}
	return false
}

// directory reports whether v is a shell's PWD.
func directory(name, v string) bool {
	return (name == "PWD" || name == "OLDPWD") && v[0] == '/'
}

// variable reports whether v is $NAME, ${NAME…}, $(command) or a sequence of
// them.
func variable(v string) bool {
	switch c := v[1]; {
	case c == '(':
		return true
	case c == '{':
		end := strings.IndexByte(v, '}')
		// ${X:-default} holds a secret itself.
		return end < 0 || end == len(v)-1 && !strings.Contains(v[:end], ":-") || end < len(v)-1 && v[end+1] == '$'
	case letter(c) || c == '_':
		i := 1
		for i < len(v) && (alnum(v[i]) || v[i] == '_') {
			i++
		}
		return i == len(v) || strings.IndexByte(":/.-$)]}\"'(", v[i]) >= 0
	}
	return len(v) == 2 // $1
}

// fileName reports whether s may be a path. A secret may start like a pointer.
func fileName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !nameByte(c) && strings.IndexByte("/#:@%$~{} ,=", c) < 0 {
			return false
		}
	}
	return true
}

// secretLike reports whether v, the value of a weak name, is a secret: it looks
// random or is user:password.
func secretLike(name, v string) bool {
	return random(v) || hasSuffixFold(name, "auth") && (pair(v) || basic(v))
}

// pin reports whether v is a code that a person types: four to ten digits.
func pin(v string) bool { return len(v) >= 4 && len(v) <= 10 && strings.Trim(v, "0123456789") == "" }

// pair reports whether v is user:password and not host:port or scheme:value.
func pair(v string) bool {
	user, password, ok := strings.Cut(v, ":")
	if !ok || user == "" || random(user) || !letter(user[0]) || schemes[user] || strings.ContainsAny(password, ":/") ||
		strings.Trim(password, "0123456789") == "" || reference(v) || reference(password) {
		return false
	}
	for i := range len(user) {
		if !nameByte(user[i]) && user[i] != '@' {
			return false
		}
	}
	return true
}

// schemes are words before a colon that are not a user.
var schemes = set("plugin type mode unix tcp http https ldap ldaps pam sha1 sha256 sha512 md5 basic bearer digest oidc oauth saml jwt")

// basic reports whether v is user:password in base64, as HTTP's Basic has it.
func basic(v string) bool {
	var in, out [128]byte
	if len(v) < 8 || len(v) > len(in) {
		return false
	}
	n, err := base64.StdEncoding.Decode(out[:], in[:copy(in[:], v[:len(v)/4*4])]) // it may be cut
	if err != nil {
		return false
	}
	colon := false
	for _, c := range out[:n] {
		if c < ' ' || c > '~' {
			return false
		}
		colon = colon || c == ':'
	}
	return colon
}

// random reports whether v looks generated: long, letters and digits mixed, and
// not a path, host, version or list of words.
func random(v string) bool {
	if len(v) < 16 || reference(v) {
		return false
	}
	digits, letters, upper, separators := 0, 0, 0, 0
	for i := range len(v) {
		switch c := v[i]; {
		case digit(c):
			digits++
		case letter(c):
			letters++
			if c < 'a' {
				upper++
			}
		case c == ' ' || c == '\n' || c == ',' || c == '(' || c == '{' || c == '"' || c == '\\' || c == '*':
			return false
		case c == '-' || c == '_' || c == '.' || c == '/' || c == ':':
			separators++
		}
	}
	if first, _, ok := strings.Cut(v, "/"); ok && strings.Trim(first, "abcdefghijklmnopqrstuvwxyz") == "" {
		return false // a path
	}
	return digits >= 2 && letters >= 2 && separators*6 <= len(v) &&
		!strings.HasPrefix(v, "sha") && !strings.HasPrefix(v, "v1-") && v[0] != '/' && v[0] != '.'
}

// scheme returns the length of the "Bearer " that v starts with.
func scheme(v string) int {
	for _, s := range [...]string{"bearer ", "basic ", "token ", "apikey ", "digest ", "negotiate ", "ntlm ", "aws4-hmac-sha256 "} {
		if hasPrefixFold(v, s) {
			n := len(s)
			for n < len(v) && v[n] == ' ' {
				n++
			}
			return n
		}
	}
	return 0
}

// unquote strips a pair of quotes around s[start:end].
func unquote(s string, start, end int) (int, int) {
	if end-start >= 2 && (s[start] == '"' || s[start] == '\'') && s[end-1] == s[start] {
		return start + 1, end - 1
	}
	return start, end
}
