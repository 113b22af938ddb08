package redact

import (
	"regexp"
	"strings"
	"testing"
)

func TestArgs(t *testing.T) {
	r := must(t, Options{})
	for name, c := range map[string]struct{ args, want string }{
		"empty":             {"", ""},
		"nothing":           {"ls\x00-l\x00", "ls\x00-l\x00"},
		"flag and value":    {"a\x00--password\x00x1\x00b\x00", "a\x00--password\x00<redacted>\x00b\x00"},
		"flag with =":       {"a\x00--password=x y;z\x00b\x00", "a\x00--password=<redacted>\x00b\x00"},
		"empty arguments":   {"\x00\x00--token\x00\x00x1\x00", "\x00\x00--token\x00\x00x1\x00"},
		"no NUL at the end": {"a\x00--password\x00x1", "a\x00--password\x00<redacted>"},
		"flag at the end":   {"a\x00--password\x00", "a\x00--password\x00"},
		"cut in a token":    {"a\x00ghp_abcdefgh", "a\x00<redacted>"},
		"short, not cut":    {"a\x00ghp_abcdefgh\x00", "a\x00ghp_abcdefgh\x00"},
		"cut in a key":      {"a\x00-----BEGIN PRIVATE KEY-----\nabc", "a\x00<redacted>"},
		"cut in a URL":      {"a\x00postgres://u:s3cr", "a\x00postgres://u:<redacted>"},
		"a port is none":    {"a\x00http://localhost:8080", "a\x00http://localhost:8080"},
		"scheme stays":      {"curl\x00-H\x00Authorization: Bearer abc123def\x00", "curl\x00-H\x00Authorization: Bearer <redacted>\x00"},
		"URL":               {"curl\x00https://user:pw1@host/\x00", "curl\x00https://user:<redacted>@host/\x00"},
		"default in shell":  {"sh\x00-c\x00TOKEN=${TOKEN:-abc123} x\x00", "sh\x00-c\x00TOKEN=<redacted> x\x00"},
		"invalid UTF-8":     {"a\xff\x00--password=\xff\xfe\x00", "a\xff\x00--password=<redacted>\x00"},
	} {
		if got := r.Args(c.args); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestVariable(t *testing.T) {
	r := must(t, Options{Allow: expressions("MY_TOKEN")})
	for _, c := range []struct{ name, value, want string }{
		{"DB_PASSWORD", "hunter2", redacted},
		{"DB_PASSWORD", "", ""},
		{"DB_PASSWORD_FILE", "/run/db", "/run/db"},
		{"PWD", "/srv", "/srv"},
		{"OLDPWD", "/odd place/x", "/odd place/x"},
		{"PATH", "/usr/bin:/bin", "/usr/bin:/bin"},
		{"SSH_AUTH_SOCK", "/tmp/ssh-x/agent.1", "/tmp/ssh-x/agent.1"},
		{"DATABASE_URL", "postgres://u:p1@h/db", "postgres://u:<redacted>@h/db"},
		{"JAVA_OPTS", "-Xmx1g -Dpassword=x1 -Da=b", "-Xmx1g -Dpassword=<redacted> -Da=b"},
		{"AWS_ACCESS_KEY_ID", "AKIA" + strings.Repeat("A", 16), "AKIA" + strings.Repeat("A", 16)},
		{"GIT_ASKPASS", "/usr/bin/askpass", "/usr/bin/askpass"},
		{"MY_TOKEN", "abc123", "abc123"},
		{"KEY", "ghp_" + strings.Repeat("a1", 18), redacted},
	} {
		if got := r.Variable(c.name, c.value); got != c.want {
			t.Errorf("%s=%s: got %q, want %q", c.name, c.value, got, c.want)
		}
	}
}

func TestOptions(t *testing.T) {
	r := must(t, Options{
		Patterns: expressions(`EMP-\d{6}`, `badge ([a-z]+)`),
		Allow:    expressions(`demo-\w+`, `ci[-_]token`, `a|ab`),
	})
	for args, want := range map[string]string{
		"a\x00xEMP-123456y\x00":         "a\x00x<redacted>y\x00",
		"a\x00badge abc\x00":            "a\x00badge <redacted>\x00",
		"a\x00--password\x00demo-1\x00": "a\x00--password\x00demo-1\x00",
		"a\x00--password=demo-1 x\x00":  "a\x00--password=<redacted>\x00",
		"a\x00--ci-token=abc\x00":       "a\x00--ci-token=abc\x00",
		"a\x00--password=ab\x00":        "a\x00--password=ab\x00", // as the second alternative
		"a\x00--password=abc\x00":       "a\x00--password=<redacted>\x00",
	} {
		if got := r.Args(args); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestPatternsSettle holds that a pattern does not match in redactions again.
func TestPatternsSettle(t *testing.T) {
	r := must(t, Options{Patterns: expressions(`[a-z]+`)})
	once := r.Args("ab12\x00--x=c\x00")
	if want := "<redacted>12\x00--<redacted>=<redacted>\x00"; once != want {
		t.Errorf("got %q, want %q", once, want)
	}
	if twice := r.Args(once); twice != once {
		t.Errorf("%q became %q", once, twice)
	}
}

func TestOptionsThatAreWrong(t *testing.T) {
	_, err := New(Options{Patterns: expressions("ok", "(a)(b)", "x*")})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`patterns[1]: must have at most one capture group; write (?:…) for the others (got "(a)(b)")`,
		`patterns[2]: must not match the empty string (got "x*")`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s in it", err, want)
		}
	}
}

func TestSecretName(t *testing.T) {
	for name, want := range map[string]secrecy{
		"--password": strong, "-password": strong, "PASSWORD": strong, "dbPassword": strong, "DBPASS": strong,
		"api-key": strong, "apiKey": strong, "APIKey": strong, "X-Api-Key": strong, "MYSQL_PWD": strong,
		"SECRET_KEY_BASE": strong, "--secret-string": strong, "aws_secret_access_key": strong, "password1": strong,
		"key": weak, "--auth": weak, "sig": weak,
		"--password-file": none, "--token-ttl": none, "--secret-name": none, "--max-tokens": none, "--tokenizer": none,
		"--author": none, "--authority": none, "--monkey": none, "KEYBOARD": none, "SSH_AUTH_SOCK": none, "XAUTHORITY": none,
		"PASSWORD_STORE_DIR": none, "--public-key": none, "--bypass": none, "--eos-token": none, "AWS_ACCESS_KEY_ID": none,
		"": none, "-": none, "--": none, "1": none,
	} {
		if got := secretName(name); got != want {
			t.Errorf("secretName(%q) = %d, want %d", name, got, want)
		}
	}
}

// TestPrograms holds that the triggers know each program: otherwise a list
// that holds nothing else would never be looked at.
func TestPrograms(t *testing.T) {
	triggers := newTriggers()
	for name, rules := range programs {
		for _, p := range rules {
			if p.position == "pairs" {
				continue // the name of the secret is the trigger
			}
			if !triggers.any(name + "\x00" + p.sub + "\x00" + strings.ReplaceAll(p.flags, " ", "\x00")) {
				t.Errorf("%s %s: no trigger", name, p.sub)
			}
			for _, f := range strings.Fields(p.flags) {
				if (f[0] == '-') != (p.flags[0] == '-') {
					t.Errorf("%s %s: flags with and without a dash", name, p.flags)
				}
			}
		}
	}
	for name, is := range lastWords {
		if is != none && !triggers.any("--"+name+"\x00") {
			t.Errorf("%s: no trigger", name)
		}
	}
	for name, owners := range owned {
		for owner := range owners {
			if !triggers.any("--" + owner + "-" + name + "\x00") {
				t.Errorf("%s-%s: no trigger", owner, name)
			}
		}
	}
	for name := range readers {
		if name[0] != '-' && !triggers.any(name+"\x00") {
			t.Errorf("%s: no trigger", name)
		}
	}
}

func expressions(texts ...string) (all []*regexp.Regexp) {
	for _, text := range texts {
		all = append(all, regexp.MustCompile(text))
	}
	return all
}
