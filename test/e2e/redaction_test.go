package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The commands of the tests of redaction: how people pass secrets. Each secret
// is "hunter2-" and a letter of its own; what is plain must be shown.
const (
	carelessScript = `#!/bin/sh
./curl -u user:hunter2-a http://127.0.0.1/plain
./curl -H 'Authorization: Bearer hunter2-b' plain
./mysql -phunter2-c plain
/bin/true --password=hunter2-d plain
/bin/true --token hunter2-e plain
/bin/true https://user:hunter2-f@127.0.0.1/ plain
env API_TOKEN=hunter2-g /bin/true plain
sh -c 'PASSWORD=hunter2-h /bin/true plain; exit'
/bin/false --password 'hunter2-i, in words' plain
API_TOKEN=hunter2-j DATABASE_URL=postgres://user:hunter2-k@db/plain PLAIN=plain /bin/true plain
/bin/true plain "$(printf %4055s)" https://user:hunter2-l.which.is.cut.after.4096.bytes@127.0.0.1/
exit 0
`
	secretMark = "hunter2-"
	// carelessSpans is how many programs end with a secret in their arguments: env
	// has become another by then.
	carelessSpans = 9
)

// carelessProject returns a directory with the script careless.sh, and programs
// to their names curl and mysql.
func carelessProject(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	write(t, filepath.Join(dir, "careless.sh"), carelessScript, 0o755)
	for _, name := range []string{"curl", "mysql"} {
		if err := os.Symlink("/bin/true", filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestSecretsStay has secrets passed to programs, and looks for them in all that
// leaves procspan, as it is without a configuration.
func TestSecretsStay(t *testing.T) {
	requireObservable(t)
	procspan := procspanBinary(t)
	for _, tc := range []struct {
		name    string
		command []string
	}{
		{"in a script", []string{"./careless.sh"}},
		{"in an argument", []string{"sh", "-c", carelessScript}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Run("exported", func(t *testing.T) {
				s := startSink(t)
				variables := []string{"env", "OTEL_EXPORTER_OTLP_ENDPOINT=http://" + s.otlp, "OTEL_LOGS_EXPORTER=otlp"}
				printed := runCareless(t, append(variables, procspan, "exec", "--verbose", "--"), tc.command)
				checkSecrets(t, "what procspan prints", printed, 0)
				s.checkFiles(t, carelessSpans)
			})
			t.Run("exported with the environment", func(t *testing.T) {
				s := startSink(t)
				config := s.config(t, atTheEnd, "distribution: {procspan: {capture: {environment: [API_TOKEN, DATABASE_URL, PLAIN]}}}")
				printed := runCareless(t, []string{procspan, "exec", "--verbose", "--config", config, "--"}, tc.command)
				checkSecrets(t, "what procspan prints", printed, 0)
				s.checkFiles(t, carelessSpans+2)
				s.checkVariables(t)
			})
			t.Run("shown", func(t *testing.T) {
				printed := runCareless(t, []string{procspan, "exec", "--verbose", "--"}, tc.command)
				checkSecrets(t, "the waterfall", printed, carelessSpans-1) // its lines are shorter than what is cut
			})
		})
	}
	t.Run("shown live", func(t *testing.T) {
		daemon := startRun(t, writeFile(t, "procspan.yaml", "file_format: \"1.0\"\n"), "--verbose")
		runCareless(t, nil, []string{"./careless.sh"})
		if status := daemon.stop(); status != "exit status 0" {
			t.Errorf("procspan run ends with %s", status)
		}
		shown := daemon.printed()
		if !strings.Contains(shown, "curl") {
			t.Errorf("the live table does not show the commands:\n%s", shown)
		}
		checkSecrets(t, "the live table", shown, 0)
	})
}

// runCareless runs a command under procspan, and returns what both print.
func runCareless(t *testing.T, procspan, command []string) string {
	t.Helper()
	code, printed := runCommand(t, carelessProject(t), append(procspan[:len(procspan):len(procspan)], command...)...)
	if code != 0 {
		t.Fatalf("%q ends with %d\n%s", command, code, printed)
	}
	return printed
}

// checkSecrets checks that a text holds no secret, and the places of so many at
// least, which shows that it would have held them.
func checkSecrets(t *testing.T, what, text string, places int) {
	t.Helper()
	for rest := text; ; {
		_, after, found := strings.Cut(rest, secretMark)
		if !found {
			break
		}
		rest = after
		t.Errorf("%s holds the secret %s%.1s", what, secretMark, after)
	}
	if got := strings.Count(text, "<redacted>"); got < places {
		t.Errorf("%s says <redacted> %d times, want %d at least\n%s", what, got, places, text)
	}
	if places > 0 && !strings.Contains(text, "plain") {
		t.Errorf("%s lacks what is plain:\n%s", what, text)
	}
}

// checkFiles checks that the Collector has got no secret.
func (s *sink) checkFiles(t *testing.T, places int) {
	t.Helper()
	s.finish(t)
	for _, file := range []string{s.traces, s.logs} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		checkSecrets(t, "the collector's "+filepath.Base(file), string(text), places)
	}
}

// checkVariables checks that of the last command's environment the secrets are
// redacted, and nothing else is.
func (s *sink) checkVariables(t *testing.T) {
	t.Helper()
	want := attributes{
		"process.environment_variable.API_TOKEN":    "<redacted>",
		"process.environment_variable.DATABASE_URL": "postgres://user:<redacted>@db/plain",
		"process.environment_variable.PLAIN":        "plain",
	}
	var last attributes
	for _, span := range s.spans(t) {
		if span.Attributes["process.environment_variable.PLAIN"] != nil {
			last = span.Attributes
		}
	}
	for key, value := range want {
		if last[key] != value {
			t.Errorf("%s is %v, want %v", key, last[key], value)
		}
	}
}
