package workflows

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// hostile is what somebody may write into the name of a branch or a job.
const hostile = `x'; touch pwned; echo "$(touch pwned)` + "`touch pwned`" + ` ${PWNED:=}`

// machine is a CI system's machine: its commands are stand-ins in bin, before those
// of this one.
type machine struct {
	dir string
	env map[string]string
}

// commands stand in for those that a script calls.
var commands = map[string]string{
	// Not root.
	"id": `echo 1001`,
	// As the real one, it sets PATH, runs the command as a child, and ignores signals
	// of its own process group.
	"sudo": `
trap : TERM
[ "$1" != -E ] || shift
PATH=/usr/sbin:/usr/bin:/sbin:/bin NOT_ROOT= "$@"`,
	"uname": `echo x86_64`,
	// The release: an archive of the procspan below.
	"curl": `
for url; do :; done
case "$url" in
*SHA256SUMS) cat "$RELEASE/SHA256SUMS" ;;
*) cp "$RELEASE/${url##*/}" . ;;
esac`,
	"tool": `echo "tool ran: $*"`,
}

// kill is the shell's: a user may not signal a process of root.
const kill = `kill() { if [ -n "$NOT_ROOT" ]; then echo 'kill: not permitted' >&2; return 1; fi; builtin kill "$@"; }; export -f kill`

// procspan stands in for the program.
const procspan = `#!/bin/bash
case "$1" in
version) echo procspan ;;
ci)
	[ "$3" = "$WANT_FORMAT" ] || [ $# = 2 ] || exit 2
	if [ "$3" = --format ]; then
		printf '%s\n' "CHECK_RUN_IS=$6" "OTEL_SERVICE_NAME=$JOB_NAME"
	else
		echo "export OTEL_SERVICE_NAME='${JOB_NAME//\'/\'\\\'\'}'"
	fi ;;
exec)
	while [ "$1" != -- ]; do shift; done
	shift
	echo "exec at ${OTEL_EXPORTER_OTLP_ENDPOINT-nowhere} as $OTEL_SERVICE_NAME"
	exec "$@" ;;
run)
	[ -z "$BROKEN" ] || { echo broken; exit 1; }
	tail -f /dev/null &
	trap 'kill $!; echo msg=stopped; exit 0' TERM
	echo "msg=observing at $OTEL_EXPORTER_OTLP_ENDPOINT"
	wait ;;
esac
`

func newMachine(t *testing.T, version string) machine {
	t.Helper()
	m := machine{dir: t.TempDir()}
	release := filepath.Join(m.dir, "release")
	name := "procspan-" + version + "-linux-amd64"
	m.write(t, "release/"+name+"/usr/bin/procspan", procspan)
	for command, script := range commands {
		m.write(t, "bin/"+command, "#!/bin/bash\n"+script+"\n")
	}
	for _, dir := range []string{"temp", "work"} {
		if err := os.Mkdir(filepath.Join(m.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	pack := exec.Command("sh", "-ec", `tar -czf "$1.tar.gz" "$1"; sha256sum "$1.tar.gz" >SHA256SUMS`, "sh", name)
	pack.Dir = release
	if out, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("make the release: %v\n%s", err, out)
	}
	m.env = map[string]string{
		"PATH": filepath.Join(m.dir, "bin") + ":" + os.Getenv("PATH"), "RELEASE": release, "NOT_ROOT": "1", "WANT_FORMAT": "--format",
		"RUNNER_TEMP": filepath.Join(m.dir, "temp"), "JOB_NAME": hostile, "HOME": m.dir, "KILL": kill,
	}
	for _, file := range []string{"GITHUB_ENV", "GITHUB_STEP_SUMMARY"} {
		m.env[file] = filepath.Join(m.dir, file)
	}
	return m
}

func (m machine) write(t *testing.T, path, text string) {
	t.Helper()
	path = filepath.Join(m.dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// run lets bash run a script as GitHub and GitLab do.
func (m machine) run(t *testing.T, script string, env map[string]string) (string, error) {
	t.Helper()
	cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", `eval "$KILL"; eval "$SCRIPT"`)
	cmd.Dir = filepath.Join(m.dir, "work")
	all := maps.Clone(m.env)
	maps.Copy(all, env)
	all["SCRIPT"] = script
	for name, value := range all {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	// A file, which the daemon may keep open.
	out, err := os.Create(filepath.Join(m.dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	failed := cmd.Run()
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"work", "temp"} {
		if _, err := os.Stat(filepath.Join(m.dir, dir, "pwned")); err == nil {
			t.Fatalf("a value was run as a script:\n%s", text)
		}
	}
	return string(text), failed
}

// action runs the steps of the action that its inputs select, as GitHub does.
func (m machine) action(t *testing.T, inputs, env map[string]string) (string, error) {
	t.Helper()
	content, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var action struct {
		Inputs map[string]struct{ Default string } `json:"inputs"`
		Runs   struct {
			Steps []struct {
				Name, If, Run string
				Env           map[string]string
			} `json:"steps"`
		} `json:"runs"`
	}
	if err := yaml.Unmarshal(content, &action); err != nil {
		t.Fatal(err)
	}
	input := func(name string) string {
		if value, ok := inputs[name]; ok {
			return value
		}
		if _, ok := action.Inputs[name]; !ok {
			t.Fatalf("there is no input %s", name)
		}
		return action.Inputs[name].Default
	}
	var said strings.Builder
	for _, step := range action.Runs.Steps {
		if step.Run == "" {
			continue
		}
		selected := true
		for condition := range strings.SplitSeq(step.If, " && ") {
			parts := regexp.MustCompile(`^inputs\.(\S+) (==|!=) '(.*)'$`).FindStringSubmatch(condition)
			if parts == nil {
				t.Fatalf("step %q has the condition %q", step.Name, condition)
			}
			selected = selected && (input(parts[1]) == parts[3]) == (parts[2] == "==")
		}
		if !selected {
			continue
		}
		all := maps.Clone(env)
		if all == nil {
			all = make(map[string]string)
		}
		for name, value := range step.Env {
			all[name] = regexp.MustCompile(`\$\{\{ inputs\.(\S+) \}\}`).ReplaceAllStringFunc(value, func(s string) string {
				return input(strings.Fields(s)[1][len("inputs."):])
			})
		}
		out, err := m.run(t, step.Run, all)
		said.WriteString(out)
		if err != nil {
			return said.String(), fmt.Errorf("%s: %w", step.Name, err)
		}
	}
	return said.String(), nil
}

// asRoot makes the machine a container, whose user is root and which has no sudo.
func (m machine) asRoot(t *testing.T) {
	t.Helper()
	m.write(t, "bin/id", "#!/bin/bash\necho 0\n")
	m.write(t, "bin/sudo", "#!/bin/bash\necho 'there is no sudo' >&2; exit 127\n")
	m.env["NOT_ROOT"] = ""
}

func TestActionRuns(t *testing.T) {
	for _, root := range []bool{false, true} {
		t.Run(fmt.Sprintf("root %v", root), func(t *testing.T) {
			m := newMachine(t, "1.2.3")
			if root {
				m.asRoot(t)
			}
			for _, tc := range []struct {
				name        string
				inputs, env map[string]string
				want        []string
				fails       bool
			}{
				{
					// The command finds what the job's PATH has, and no value becomes a script.
					name:   "command",
					inputs: map[string]string{"run": "tool '" + strings.ReplaceAll(hostile, "'", `'\''`) + "'", "version": "1.2.3"},
					want:   []string{"exec at nowhere as " + hostile + "\n", "tool ran: " + hostile + "\n"},
				},
				{
					name:   "endpoint of the job",
					inputs: map[string]string{"run": "tool", "version": "v1.2.3", "check-run": ""},
					env:    map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://job"},
					want:   []string{"exec at http://job as "},
				},
				{
					name:   "endpoint of the input",
					inputs: map[string]string{"run": "tool", "version": "1.2.3", "endpoint": "http://input;touch pwned"},
					env:    map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://job"},
					want:   []string{"exec at http://input;touch pwned as "},
				},
				{name: "command that fails", inputs: map[string]string{"run": "tool\nfalse\ntool again", "version": "1.2.3"}, fails: true},
				{name: "unknown release", inputs: map[string]string{"run": "tool", "version": "9.9.9"}, fails: true},
				{name: "daemon without endpoint", inputs: map[string]string{"version": "1.2.3"}, fails: true, want: []string{"::error::"}},
				{
					name:   "daemon that ends",
					inputs: map[string]string{"version": "1.2.3", "endpoint": "http://c"}, env: map[string]string{"BROKEN": "1"},
					fails: true, want: []string{"::error::", "broken"},
				},
			} {
				t.Run(tc.name, func(t *testing.T) {
					out, err := m.action(t, tc.inputs, tc.env)
					if (err != nil) != tc.fails {
						t.Fatalf("got %v\n%s", err, out)
					}
					for _, want := range tc.want {
						if !strings.Contains(out, want) {
							t.Errorf("printed\n%swithout %q", out, want)
						}
					}
				})
			}
		})
	}
}

// TestActionDaemon starts the daemon and stops it, in two steps of one process group.
func TestActionDaemon(t *testing.T) {
	for _, root := range []bool{false, true} {
		t.Run(fmt.Sprintf("root %v", root), func(t *testing.T) {
			m := newMachine(t, "1.2.3")
			if root {
				m.asRoot(t)
			}
			stop := map[string]string{"stop": "true"}
			if out, err := m.action(t, stop, nil); err != nil {
				t.Errorf("stop of what was not started: %v\n%s", err, out)
			}
			if out, err := m.action(t, map[string]string{"version": "1.2.3", "endpoint": "http://c"}, nil); err != nil {
				t.Fatalf("start: %v\n%s", err, out)
			}
			out, err := m.action(t, stop, nil)
			if err != nil || !strings.Contains(out, "msg=observing at http://c\n") || !strings.Contains(out, "msg=stopped\n") {
				t.Errorf("stop: %v\n%s", err, out)
			}
			variables, err := os.ReadFile(m.env["GITHUB_ENV"])
			if want := "CHECK_RUN_IS=0\nOTEL_SERVICE_NAME=" + hostile + "\n"; err != nil || string(variables) != want {
				t.Errorf("later steps have %q (%v), want %q", variables, err, want)
			}
		})
	}
}

// TestTemplates runs the scripts for GitLab and Jenkins.
func TestTemplates(t *testing.T) {
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var gitlab map[string]struct {
		Variables map[string]string
		Before    []string `json:"before_script"`
		Script    []string
	}
	if err := yaml.Unmarshal([]byte(read("../ci/gitlab.yml")), &gitlab); err != nil {
		t.Fatal(err)
	}
	job := gitlab[".procspan"]
	jenkins := regexp.MustCompile(`(?s)sh '''(.*?)'''`).FindStringSubmatch(read("../ci/Jenkinsfile"))
	if jenkins == nil || strings.Contains(jenkins[1], `\`) {
		t.Fatalf("the Jenkinsfile's script is %q", jenkins) // Groovy would take a backslash
	}
	for name, script := range map[string]string{
		"gitlab":  strings.Join(slices.Concat(job.Before, job.Script), "\n"),
		"jenkins": strings.ReplaceAll(jenkins[1], "-- make -j4", `-- sh -ec "$PROCSPAN_COMMAND"`),
	} {
		for _, root := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s root %v", name, root), func(t *testing.T) {
				m := newMachine(t, job.Variables["PROCSPAN_VERSION"])
				m.write(t, "bin/procspan", procspan)
				if root {
					m.asRoot(t)
				}
				env := map[string]string{
					"PROCSPAN_VERSION": job.Variables["PROCSPAN_VERSION"],
					"PROCSPAN_COMMAND": `tool '` + strings.ReplaceAll(hostile, "'", `'\''`) + `'`,
				}
				out, err := m.run(t, script, env)
				if err != nil || !strings.Contains(out, "as "+hostile+"\n") || !strings.Contains(out, "tool ran: "+hostile+"\n") {
					t.Errorf("got %v\n%s", err, out)
				}
				env["PROCSPAN_COMMAND"] = "tool; false; tool"
				if out, err := m.run(t, script, env); err == nil {
					t.Errorf("a command that fails does not fail the job:\n%s", out)
				}
			})
		}
	}
}
