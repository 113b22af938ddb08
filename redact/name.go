package redact

import "strings"

// secrecy is what a name tells about its value.
type secrecy int

const (
	none    secrecy = iota
	weak            // a secret if it looks random
	numeric         // a secret if it looks random, or is a code of digits
	strong          // a secret
)

// lastWords: the last word of a name decides. A token_ttl is a time, a ttl_token
// is a token.
var lastWords = map[string]secrecy{
	"password": strong, "passwd": strong, "passwort": strong, "passphrase": strong, "passcode": strong,
	"pass": strong, "pwd": strong, "pw": strong, "upw": strong, "opw": strong, "pswd": strong,
	"secret": strong, "token": strong, "jwt": strong, "psk": strong, "passkey": strong,
	"cred": strong, "creds": strong, "credential": strong, "credentials": strong,
	"apikey": strong, "authkey": strong, "accesskey": strong, "secretkey": strong, "privatekey": strong,
	"masterkey": strong, "accountkey": strong, "encryptionkey": strong,
	"licensekey": strong, "sharedkey": strong, "storepass": strong, "keypass": strong,
	"requirepass": strong, "masterauth": strong, "authorization": strong,
	"auth": weak, "sig": weak, "signature": weak, "appid": weak, "sid": weak, "login": weak,
	"session": weak, "sessionid": weak, "phpsessid": weak, "jsessionid": weak, "cookie": weak, "cookies": weak,
	"hmac": weak, "otp": numeric, "totp": numeric, "pin": numeric, "mfa": numeric, "mnemonic": strong,
	"id": none, "team": none, "code": none, // see owned
}

// endings mark a secret in a word without separators, such as dbpassword.
var endings = []string{"password", "passwd", "passphrase", "secret", "token", "apikey", "pwd", "secretkey", "accesskey", "pass"}

// keyOwners are the words before "key" that make it a secret, publicKeys those
// that do not. Any other key is weak.
var (
	keyOwners = set(`api access secret private auth authentication encryption decryption signing sign master
		account shared license licence service session app application deploy hmac aes webhook subscription
		write ingest ingestion storage root unseal jwt cookie admin consumer client-secret ssh-private stripe`)
	publicKeys = set(`public pub primary foreign cache sort partition host hot known parent project index object row
		map group lookup routing dedup idempotency kms max min trusted parse keyring has sort shard
		register on s3 image font widget signature cname`)
	// sized are the words before "token", "pass" or "secret" that give them
	// another meaning: a language model's, a page's, a compiler's, a reference.
	sized = set(`eos bos pad unk sep cls mask next starting start page continuation pagination stop per
		context max min num n first second two one single multi render existing pull end resume sync
		special image-pull`)
	// owned are the words whose secrecy depends on the word before them.
	owned = map[string]map[string]secrecy{
		"id":   {"secret": weak}, // AppRole's secret-id is secret; the id of a stored secret is not random
		"auth": {"rediscli": strong}, "team": {"honeycomb": strong},
		"code": {"otp": strong, "totp": strong, "mfa": strong, "fa": strong, "factor": strong, "time": strong, "token": strong,
			"verification": strong, "sms": strong, "recovery": strong, "backup": strong, "auth": strong, "authorization": strong},
		// In URLs: the first word names the key, the second is made with it.
		"credential": {"amz": none, "goog": none, "oss": none},
		"signature":  {"amz": strong, "goog": strong, "oss": strong, "q": strong},
	}
	// asked are the first words of flags that do not take a secret.
	asked = set(`no not ask skip without use show require required disable disabled enable enabled allow has
		reset generate print prompt hide mask with get change invalid empty verify force check need`)
	// trailing words have no influence.
	trailing = set(`base string value text plain plaintext raw b64 base64 hex current previous old new prod
		production dev staging test live default primary secondary confirm confirmation again param`)
	notPass = set(`bypass compass encompass overpass surpass trespass multipass underpass askpass`)
)

// has reports whether s, in lower case, is in m.
func has(m map[string]bool, s string) bool {
	var b [24]byte
	if len(s) > len(b) {
		return false
	}
	for i := range len(s) {
		b[i] = lower(s[i])
	}
	return m[string(b[:len(s)])]
}

// wordy reports whether s is letters and punctuation.
func wordy(s string) bool {
	for i := range len(s) {
		if !letter(s[i]) && strings.IndexByte(".,!?", s[i]) < 0 {
			return false
		}
	}
	return true
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// secretName returns the secrecy of the value of name. Words end at a separator,
// a digit, and where an upper-case letter follows a lower-case one.
func secretName(name string) secrecy {
	if len(name) > 128 {
		name = name[len(name)-128:]
	}
	name = strings.TrimPrefix(name, "-D") // javac -Dpassword=x
	var last, before [32]byte
	n, rest := lastWord(name, &last)
	for range 2 {
		if !trailing[string(last[:n])] {
			break
		}
		n, rest = lastWord(rest, &last)
	}
	if n == 0 {
		return none
	}
	m, _ := lastWord(rest, &before)
	word, previous := string(last[:n]), before[:m]
	if word == "key" {
		switch {
		case keyOwners[string(previous)]:
			return strong
		case publicKeys[string(previous)]:
			return none
		}
		return weak
	}
	if is, ok := lastWords[word]; ok {
		if is, ok := owned[word][string(previous)]; ok {
			return is
		}
		if sized[string(previous)] || hasSuffixFold(rest, "initial-cluster-") || hasSuffixFold(rest, "initial_cluster_") {
			return none
		}
		return is
	}
	if word == "fa" && strings.HasSuffix(rest, "2") { // 2fa
		return numeric
	}
	if notPass[word] {
		return none
	}
	if word == "net" && strings.Contains(name, ".account.key.") { // Azure: account.key.HOST.net
		return strong
	}
	if ends(last[:n]) {
		return strong
	}
	// PassWord and PASSwd have a capital within the word.
	start, end := len(rest), len(rest)+n
	for start > 0 && letter(name[start-1]) && end-start < len(last) {
		start--
	}
	if start == len(rest) {
		return none
	}
	for i := range end - start {
		last[i] = lower(name[start+i])
	}
	if ends(last[:end-start]) {
		return strong
	}
	return none
}

// ends reports whether word, in lower case, ends like the name of a secret.
func ends(word []byte) bool {
	for _, e := range endings {
		if n := len(word) - len(e); n >= 0 && n <= 16 && string(word[n:]) == e {
			return true
		}
	}
	return false
}

// lastWord writes the last word of name, in lower case, to w. It returns the
// word's length and the rest of name before it.
func lastWord(name string, w *[32]byte) (n int, rest string) {
	end := len(name)
	for end > 0 && !letter(name[end-1]) {
		end--
	}
	start := end
	for start > 0 && letter(name[start-1]) {
		start--
		upper := name[start] < 'a'
		if upper && start > 0 && start < end && (name[start-1] >= 'a' && letter(name[start-1]) ||
			start+1 < end && name[start+1] >= 'a' && letter(name[start-1])) {
			break
		}
	}
	word := name[start:end]
	if len(word) > len(w) {
		word = word[len(word)-len(w):]
	}
	for i := range len(word) {
		w[i] = lower(word[i])
	}
	return len(word), name[:start]
}

// asksFor reports whether the flag concerns a secret but does not take one.
func asksFor(flag string) bool {
	flag = strings.TrimLeft(flag, "-")
	end := 0
	for end < len(flag) && letter(flag[end]) {
		end++
	}
	return end < len(flag) && has(asked, flag[:end])
}

// credentials reports whether v, the value of name, is user:password.
func credentials(name, v string) bool {
	var last [32]byte
	n, _ := lastWord(name, &last)
	word := string(last[:n])
	return strings.HasPrefix(word, "cred") && strings.Contains(v, ":") || word == "auth" && pair(v)
}

func upperName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && c != '_' && (c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

func letter(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' }
func digit(c byte) bool  { return '0' <= c && c <= '9' }
func alnum(c byte) bool  { return letter(c) || digit(c) }

// nameByte reports whether c may be part of a name.
func nameByte(c byte) bool { return alnum(c) || c == '_' || c == '-' || c == '.' }
