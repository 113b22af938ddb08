package redact

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The corpus was written before the rules, from what command lines look like.

func TestCorpusOfSecrets(t *testing.T) {
	r := must(t, Options{})
	lines := corpus(t, "testdata/secrets.txt")
	if len(lines) < 200 {
		t.Errorf("%d command lines, want at least 200", len(lines))
	}
	secrets, gone, exact := 0, 0, 0
	for _, l := range lines {
		clean, hidden, want := marked(l.text)
		got := r.Args(list(clean))
		for _, s := range hidden {
			secrets++
			if strings.Contains(got, s) {
				t.Errorf("line %d: %q is still in %q", l.number, s, got)
			} else {
				gone++
			}
		}
		if got == list(want) {
			exact++
		} else if testing.Verbose() {
			t.Logf("line %d: more or less than the secret is gone:\n got %q\nwant %q", l.number, got, list(want))
		}
	}
	t.Logf("secrets gone: %d of %d; command lines where all else stayed: %d of %d", gone, secrets, exact, len(lines))
	if exact < len(lines)*97/100 {
		t.Errorf("in %d of %d command lines all but the secret stayed, want 97 %%", exact, len(lines))
	}
}

func TestCorpusOfBenignLines(t *testing.T) {
	r := must(t, Options{})
	lines := corpus(t, "testdata/benign.txt")
	if len(lines) < 500 {
		t.Errorf("%d command lines, want at least 500", len(lines))
	}
	untouched := 0
	for _, l := range lines {
		args := list(l.text)
		if got := r.Args(args); got != args {
			t.Errorf("line %d: got %q, want %q", l.number, got, args)
			continue
		}
		untouched++
	}
	t.Logf("benign lines untouched: %d of %d", untouched, len(lines))
}

// TestCorpusCut holds that a list that is cut within a secret tells nothing of
// it beyond its first few bytes.
func TestCorpusCut(t *testing.T) {
	r := must(t, Options{})
	for _, l := range corpus(t, "testdata/secrets.txt") {
		clean, hidden, _ := marked(l.text)
		args := list(clean)
		for _, s := range hidden {
			at := strings.Index(args, s)
			if len(s) < 12 || at < 0 {
				continue
			}
			cut := args[:at+len(s)*3/4]
			if got := r.Args(cut); strings.Contains(got, s[:len(s)*3/4]) {
				t.Errorf("line %d: %q is still in %q", l.number, s[:len(s)*3/4], got)
			}
		}
	}
}

type line struct {
	number int
	text   string
}

// corpus reads the command lines of a file and fills in what is random in them.
func corpus(t testing.TB, path string) (lines []line) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i, text := range strings.Split(string(data), "\n") {
		if text != "" && text[0] != '#' {
			lines = append(lines, line{i + 1, fill(random, text)})
		}
	}
	return lines
}

// marked returns l without its marks, what they mark, and l with that redacted.
func marked(l string) (clean string, secrets []string, want string) {
	clean = strings.NewReplacer("«", "", "»", "").Replace(l)
	for _, m := range regexp.MustCompile(`«(.*?)»`).FindAllStringSubmatch(strings.ReplaceAll(l, "\n", "\x01"), -1) {
		secrets = append(secrets, strings.ReplaceAll(m[1], "\x01", "\n"))
	}
	return clean, secrets, regexp.MustCompile(`(?s)«.*?»`).ReplaceAllString(l, redacted)
}

var placeholder = regexp.MustCompile(`\{\{(\w+)(?::([^}]+))?\}\}`)

// fill replaces {{base62:36}} by 36 random characters, and so on. That way no
// scanner takes the corpus for a leak.
func fill(random *rand.Rand, s string) string {
	const upper, lower, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789"
	alphabets := map[string]string{
		"hex": digits + "abcdef", "upperhex": digits + "ABCDEF", "digits": digits,
		"upper": upper + "234567", "lower": lower + digits, "base62": upper + lower + digits,
		"base64": upper + lower + digits + "+/", "base64name": upper + lower + digits, "b64url": upper + lower + digits + "-_",
	}
	pick := func(alphabet string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(b)
	}
	return placeholder.ReplaceAllStringFunc(s, func(p string) string {
		m := placeholder.FindStringSubmatch(p)
		n, _ := strconv.Atoi(m[2])
		switch m[1] {
		case "nl":
			return "\n"
		case "uuid":
			h := pick(alphabets["hex"], 32)
			return fmt.Sprintf("%s-%s-4%s-a%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:])
		case "pem":
			return fmt.Sprintf("-----BEGIN %s-----\n%s\n%s\n-----END %[1]s-----", m[2], pick(alphabets["base64"], 64), pick(alphabets["base64"], 64))
		}
		if alphabets[m[1]] == "" {
			panic("no such placeholder: " + p)
		}
		return pick(alphabets[m[1]], n)
	})
}

// list splits a command line as a shell does, and ends each argument by a NUL.
func list(l string) string {
	var b strings.Builder
	quote, open := rune(0), false
	escaped := false
	for _, c := range l {
		switch {
		case escaped:
			if quote == '"' && !strings.ContainsRune("\"\\$`", c) {
				b.WriteByte('\\')
			}
			b.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, open = true, true
		case c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, open = c, true
		case quote == 0 && c == ' ':
			if open {
				b.WriteByte(0)
			}
			open = false
		default:
			b.WriteRune(c)
			open = true
		}
	}
	if open {
		b.WriteByte(0)
	}
	return b.String()
}

func must(t testing.TB, o Options) *Redactor {
	t.Helper()
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
