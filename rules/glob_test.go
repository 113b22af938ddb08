package rules

import (
	"path"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		path, want    bool
	}{
		{"gcc", "gcc", true, true},
		{"gcc", "gcc-12", true, false},
		{"gcc*", "gcc-12", true, true},
		{"*", "", true, true},
		{"*", "a/b", true, false},
		{"*", "a/b", false, true},
		{"**", "a/b", true, true},
		{"/usr/*/cc", "/usr/bin/cc", true, true},
		{"/usr/*/cc", "/usr/a/b/cc", true, false},
		{"/usr/**/cc", "/usr/a/b/cc", true, true},
		{"**/cc*", "/usr/bin/cc1plus", true, true},
		{"**/cc*", "/usr/cc/bin", true, false},
		{"**/b*/c", "/b/b1/bx/c", true, true},
		{"*a*b", "xaxb", true, true},
		{"*a*b", "xaxbx", true, false},
		{"*.service", "a.service.service", false, true},
		{"python3.?", "python3.1", true, true},
		{"python3.?", "python3.", true, false},
		{"a?b", "a/b", true, false},
		{"a?b", "a/b", false, true},
		{"[a-c]x", "bx", true, true},
		{"[!a-c]x", "bx", true, false},
		{"[^a-c]x", "dx", true, true},
		{"[]]", "]", true, true},
		{"[a-]", "-", true, true},
		{"[!a]", "/", true, false},
		{`\[`, "[", true, true},
		{"[", "[", true, true},
		{`\*`, "x", true, false},
		{"é?", "éü", true, true},
		{"*-c*", "sh -c true", false, true},
		{"a**b", "a/x/b", false, true},
		{"", "", true, false}, // not parsed, see below
	} {
		t.Run(tt.pattern+" "+tt.text, func(t *testing.T) {
			g, err := parseGlob(tt.pattern, tt.path)
			if tt.pattern == "" {
				if err == nil {
					t.Error("an empty glob was accepted")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := g.Match(tt.text); got != tt.want {
				t.Errorf("got %t", got)
			}
			if g.String() != tt.pattern {
				t.Errorf("String() = %q", g.String())
			}
		})
	}
}

func TestGlobInvalid(t *testing.T) {
	for pattern, want := range map[string]string{
		"": "must not be empty", "[a": "[ without its ]", "a[": "[ without its ]", "[]": "[ without its ]",
		`a\`: `must not end in \`, "[z-a]": "ends before it begins: z-a",
	} {
		if g, err := ParsePath(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParsePath(%q) = %v, %v; want %q", pattern, g, err, want)
		}
	}
}

// A pattern of many stars must not take long on any text: milliseconds, where trying
// each way to match would never end.
func TestGlobIsFast(t *testing.T) {
	text := strings.Repeat("a", 4096)
	for _, pattern := range []string{strings.Repeat("*a", 60) + "b", strings.Repeat("**a*", 30) + "b", "**" + strings.Repeat("a*", 60) + "b"} {
		g, err := ParsePath(pattern)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if g.Match(text) {
			t.Errorf("%s matches", pattern)
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%.20s… took %v", pattern, took)
		}
	}
}

func TestTemplate(t *testing.T) {
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"A": "a", "EMPTY": "", "R": "${env:A}"}[name]
		return v, ok
	}
	for text, want := range map[string]string{
		"": "", "x": "x", "${env:A}": "a", "x${env:A}y${env:A}": "xaya", "$$${env:A}$$": "$a$",
		"${env:NONE}": "", "x${env:NONE}": "", "${env:NONE:-d}": "d", "${env:EMPTY:-d}": "d", "${env:R}": "${env:A}",
	} {
		tmpl, err := ParseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := tmpl.Expand(env); got != want || tmpl.String() != text {
			t.Errorf("%q expands to %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"$", "${A}", "${env:}", "${env:1}", "$A", "${env:A", "${env:A:?x}"} {
		if _, err := ParseTemplate(text); err == nil {
			t.Errorf("ParseTemplate(%q) has no error", text)
		}
	}
}

// FuzzGlob proves that no pattern panics, that a text matches itself with its
// special characters escaped, and that plain patterns mean what they mean for
// path.Match.
func FuzzGlob(f *testing.F) {
	for _, pattern := range []string{"*", "**/b*/c?", "[!a-z]x", `\*\\`, "*a*b", "[", "[]-]"} {
		f.Add(pattern, "a/b1/cd")
	}
	escape := strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`)
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 100 || len(text) > 100 || !utf8.ValidString(pattern) || !utf8.ValidString(text) {
			return
		}
		if g, err := ParsePath(escape.Replace(text)); text != "" && (err != nil || !g.Match(text)) {
			t.Errorf("%q does not match itself: %v", text, err)
		}
		g, err := ParsePath(pattern)
		if err != nil {
			return
		}
		got := g.Match(text)
		if strings.Contains(pattern, "[") || strings.Contains(pattern, "**") {
			return
		}
		if want, err := path.Match(pattern, text); err == nil && got != want {
			t.Errorf("%q matches %q: %t, want %t", pattern, text, got, want)
		}
	})
}
