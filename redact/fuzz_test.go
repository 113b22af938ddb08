package redact

import (
	"strings"
	"testing"
)

// FuzzArgs holds that any bytes give as many arguments as they were, that a
// second pass changes nothing, and that the output is bounded: a redaction
// takes the place of at least one byte.
func FuzzArgs(f *testing.F) {
	for _, path := range []string{"testdata/secrets.txt", "testdata/benign.txt"} {
		for _, l := range corpus(f, path) {
			clean, _, _ := marked(l.text)
			f.Add(list(clean))
		}
	}
	r := must(f, Options{})
	f.Fuzz(func(t *testing.T, args string) {
		once := r.Args(args)
		if got, want := strings.Count(once, "\x00"), strings.Count(args, "\x00"); got != want {
			t.Errorf("%d arguments, want %d: %q became %q", got, want, args, once)
		}
		if twice := r.Args(once); twice != once {
			t.Errorf("%q became %q and then %q", args, once, twice)
		}
		if len(once) > len(args)*(len(redacted)+1) {
			t.Errorf("%d bytes became %d", len(args), len(once))
		}
		if !r.triggers.any(args) && once != args {
			t.Errorf("without a trigger, %q became %q", args, once)
		}
	})
}

// FuzzVariable holds the same for a variable.
func FuzzVariable(f *testing.F) {
	f.Add("TOKEN", "x")
	f.Add("AUTH", ":x1")
	f.Add("AUTH", "u:x1")
	f.Add("DATABASE_URL", "postgres://u:p@h/db")
	r := must(f, Options{})
	f.Fuzz(func(t *testing.T, name, value string) {
		once := r.Variable(name, value)
		if twice := r.Variable(name, once); twice != once {
			t.Errorf("%s=%q became %q and then %q", name, value, once, twice)
		}
	})
}
