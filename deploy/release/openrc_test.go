package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// wantOpenRC takes the files from got that only the apk has.
func wantOpenRC(t *testing.T, got map[string]entry) {
	t.Helper()
	for path, want := range map[string]struct {
		source string
		mode   fs.FileMode
	}{
		"/etc/init.d/procspan": {"procspan.initd", 0o755},
		"/etc/conf.d/procspan": {"procspan.confd", 0o644},
	} {
		sum := fmt.Sprintf("%x", sha256.Sum256(read(t, filepath.Join("../openrc", want.source))))
		if got[path] != (entry{want.mode, sum}) {
			t.Errorf("%s is %v, want %v of %s", path, got[path], want.mode, want.source)
		}
		delete(got, path)
	}
}

// openRC stands in for openrc-run: it reads conf.d and the service, and runs a
// command with the functions before it. What OpenRC would do is printed. In place
// of procspan runs what accepts files that hold "valid".
const openRC = `
set -u
RC_SVCNAME=procspan
checkpath() { echo "checkpath $*"; }
supervise_daemon() { echo "supervise-daemon $*"; }
use() { echo "use $*"; }
after() { echo "after $*"; }
ebegin() { echo "ebegin $*"; }
eend() { return "$1"; }
procspan() { echo "procspan $*"; grep -q valid "$3"; }
start() {
	for variable in supervisor command command_args command_user capabilities no_new_privs umask rc_ulimit \
		supervise_daemon_args respawn_max retry error_logger required_files; do
		eval "echo \"$variable=\$$variable\""
	done
}
. "$1"
. "$2"
[ "$supervisor $command" = "supervise-daemon /usr/bin/procspan" ] || exit
supervisor=supervise_daemon command=procspan
if [ "$(command -v "$3_pre")" ]; then "$3_pre" || exit; fi
"$3"
`

// service runs a command of the service with a conf.d, and returns what it prints,
// and its exit status.
func service(t *testing.T, conf, command string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sh", "-c", openRC, "openrc-run", path, "../openrc/procspan.initd", command).CombinedOutput()
	return string(out), err
}

func TestOpenRC(t *testing.T) {
	for _, file := range []string{"../openrc/procspan.initd", "../package/postinst.sh", "../package/prerm.sh", "../package/postrm.sh"} {
		if out, err := exec.Command("shellcheck", file).CombinedOutput(); err != nil {
			t.Errorf("shellcheck %s: %v\n%s", file, err, out)
		}
	}
	config := filepath.Join(t.TempDir(), "procspan.yaml")
	conf := "cfgfile=" + config + "\n"
	if err := os.WriteFile(config, []byte("wrong"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"start", "reload", "checkconfig"} {
		if out, err := service(t, conf, command); err == nil || out != "procspan config check "+config+"\n" {
			t.Errorf("%s with an invalid configuration: %v\n%s\nwant it checked, and no more", command, err, out)
		}
	}
	if err := os.WriteFile(config, []byte("valid"), 0o644); err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]string{
		"depend": "use net logger\nafter firewall\n",
		"reload": "procspan config check " + config + "\nebegin Reloading procspan\nsupervise-daemon procspan --signal HUP\n",
		"start": "procspan config check " + config + `
checkpath --directory --mode 0700 --owner procspan-agent:procspan /var/lib/procspan
checkpath --directory --mode 0700 --owner procspan-agent:procspan /var/log/procspan
checkpath --directory --mode 0700 --owner procspan-agent:procspan /run/procspan
supervisor=supervise_daemon
command=procspan
command_args=run --config "` + config + `"
command_user=procspan-agent:procspan
capabilities=^cap_bpf,^cap_perfmon,^cap_sys_ptrace,^cap_dac_read_search
no_new_privs=yes
umask=0077
rc_ulimit=-c 0
supervise_daemon_args=--nicelevel -10 --oom-score-adj -500
respawn_max=0
retry=TERM/15/KILL/5
error_logger=/usr/bin/logger -t procspan -p daemon.info
required_files=` + config + "\n",
	} {
		if out, err := service(t, conf, command); err != nil || out != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", command, err, out, want)
		}
	}

	// conf.d has every variable that the service takes from it, with its default.
	defaults := regexp.MustCompile(`(?m)^: "\$\{(\w+):=(.*)\}"$`).FindAllStringSubmatch(string(read(t, "../openrc/procspan.initd")), -1)
	var want []string
	for _, d := range defaults {
		want = append(want, fmt.Sprintf("#%s=%q", d[1], d[2]))
	}
	got := regexp.MustCompile(`(?m)^#\w+=.*$`).FindAllString(string(read(t, "../openrc/procspan.confd")), -1)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("conf.d has\n%q\nwant\n%q", got, want)
	}
	out, err := service(t, conf+"command_user=root:root\nerror_logger=\"/bin/cat\"\n", "start")
	if err != nil || !strings.Contains(out, "--owner root:root /run/procspan\n") || !strings.Contains(out, "command_user=root:root\n") || !strings.Contains(out, "error_logger=/bin/cat\n") {
		t.Errorf("with a user and a logger in conf.d: %v\n%s", err, out)
	}
}

// TestServiceManagers holds that systemd and OpenRC give procspan the same: its
// user, its capabilities, and the directories that its configuration names. They
// create these directories, so no package has a tmpfiles.d.
func TestServiceManagers(t *testing.T) {
	unit, dropIn := string(read(t, "../procspan.service")), string(read(t, "../persist.conf"))
	reference := string(read(t, "../../config/reference.yml"))
	config := filepath.Join(t.TempDir(), "valid.yaml")
	if err := os.WriteFile(config, []byte("valid"), 0o644); err != nil {
		t.Fatal(err)
	}
	started, err := service(t, "cfgfile="+config, "start")
	if err != nil {
		t.Fatal(err)
	}
	setting := func(text, name string) string {
		found := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(name) + `\s*(\S.*)$`).FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("there is no %s in\n%s", name, text)
		}
		return found[1]
	}
	var ambient []string
	for _, capability := range strings.Fields(setting(unit, "AmbientCapabilities=")) {
		ambient = append(ambient, "^"+strings.ToLower(capability))
	}
	if got, want := setting(started, "capabilities="), strings.Join(ambient, ","); got != want {
		t.Errorf("OpenRC gives the capabilities %s, systemd %s", got, want)
	}
	user := setting(unit, "User=") + ":" + setting(unit, "Group=")
	if got := setting(started, "command_user="); got != user {
		t.Errorf("OpenRC's user is %s, systemd's %s", got, user)
	}
	for directory, systemd := range map[string]string{
		setting(string(read(t, "../package/procspan.yaml")), "directory:"): "/var/lib/" + setting(unit, "StateDirectory="),
		filepath.Dir(setting(reference, "#     output_stream: file://")):   "/var/log/" + setting(unit, "LogsDirectory="),
		setting(reference, "state_directory:"):                             "/run/" + setting(dropIn, "RuntimeDirectory="),
	} {
		if directory != systemd {
			t.Errorf("systemd creates %s, the configuration names %s", systemd, directory)
		}
		if !strings.Contains(started, "--mode 0700 --owner "+user+" "+directory+"\n") {
			t.Errorf("OpenRC does not create %s:\n%s", directory, started)
		}
		if !strings.Contains(string(read(t, "../package/postrm.sh")), " "+directory) {
			t.Errorf("a purge does not remove %s", directory)
		}
	}
}
