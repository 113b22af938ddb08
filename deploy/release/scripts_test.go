package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// installation is a root folder for the packages' scripts: their absolute paths are
// below it, and in place of the system's commands run ones that print what they are
// called with, and fail if $FAILING names them.
type installation struct{ root string }

var absolute = regexp.MustCompile(`/(usr/bin/procspan|etc/(procspan\.yaml|init\.d)|run/|var/(lib|log)|sys/fs)`)

func newInstallation(t *testing.T, files ...string) installation {
	t.Helper()
	i := installation{t.TempDir()}
	for _, file := range append(files, "/usr/bin/procspan", "/etc/procspan.yaml") {
		i.write(t, file, "")
	}
	i.write(t, "/usr/bin/procspan", `#!/bin/sh
case "$1 $2" in "config print") [ -s "$3" ] && printf 'daemon:\n  pin_directory: "%s"\n' "$(cat "$3")"; exit ;; esac
echo "procspan $*"
case " $FAILING " in *" procspan "*) exit 1 ;; esac
`)
	return i
}

func (i installation) write(t *testing.T, path, text string) {
	t.Helper()
	path = filepath.Join(i.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// run runs a script with the commands given: the other ones do not exist.
func (i installation) run(t *testing.T, script, arguments, commands, failing string) (string, error) {
	t.Helper()
	bin := t.TempDir()
	for _, name := range []string{"sed", "cat", "rm"} {
		path, err := exec.LookPath(name)
		if err == nil {
			err = os.Symlink(path, filepath.Join(bin, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name := range strings.FieldsSeq("chgrp chmod stat dpkg-statoverride " + commands) {
		body := `echo "` + name + ` $*"; case " $FAILING " in *" ` + name + ` "*) exit 1 ;; esac`
		switch name {
		case "stat":
			body = "echo root:640"
		case "dpkg-statoverride":
			body = "exit 1"
		case "getent": // the group and the user exist
			body = ":"
		}
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	text := absolute.ReplaceAllStringFunc(string(read(t, "../package/"+script+".sh")), func(path string) string { return i.root + path })
	cmd := exec.Command("/bin/sh", append([]string{"-c", text, script}, strings.Fields(arguments)...)...)
	cmd.Env = []string{"PATH=" + bin, "FAILING=" + failing}
	out, err := cmd.CombinedOutput()
	return strings.ReplaceAll(string(out), i.root, ""), err
}

// TestScripts calls the packages' scripts as dpkg (deb-postinst(5), deb-prerm(5)), rpm
// and apk do.
func TestScripts(t *testing.T) {
	const (
		systemd   = "/run/systemd/system/x"
		openRC    = "/etc/init.d/procspan"
		owned     = "chgrp procspan /usr/bin/procspan\nchmod 0750 /usr/bin/procspan\nsetcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search=ep /usr/bin/procspan\n"
		configed  = "chgrp procspan /etc/procspan.yaml\n"
		users     = "systemd-sysusers procspan.conf\n"
		restarted = "systemctl daemon-reload\nsystemctl try-restart procspan.service\n"
		stopped   = "systemctl disable --now procspan.service\n"
		debian    = "systemctl systemd-sysusers setcap"
		alpine    = "rc-service rc-update getent setcap"
	)
	for _, tc := range []struct {
		script, arguments string
		commands, failing string
		files             []string
		config            string // what is in the configuration: where the pins are
		noConfig          bool
		want              string
	}{
		{script: "postinst", arguments: "configure", commands: debian, files: []string{systemd}, want: users + owned + configed + restarted},
		{script: "postinst", arguments: "configure 0.0.9", commands: debian, want: users + owned + configed}, // no systemd
		{script: "postinst", arguments: "1", commands: debian, files: []string{systemd}, want: users + owned + configed + restarted},
		{script: "postinst", arguments: "2", commands: debian, files: []string{systemd}, want: users + owned + configed + restarted},
		{script: "postinst", arguments: "0.1.0", commands: alpine, files: []string{openRC}, want: owned + configed + "rc-service --quiet --ifexists --ifstarted procspan restart\n"},
		{script: "postinst", arguments: "abort-upgrade 0.2.0", commands: debian, files: []string{systemd}},
		{script: "postinst", arguments: "abort-remove", commands: debian, files: []string{systemd}},
		{script: "postinst", arguments: "abort-deconfigure in-favour x 1", commands: debian, files: []string{systemd}},
		{script: "postinst", arguments: "configure", commands: debian, noConfig: true, files: []string{systemd}, want: users + owned + restarted},
		{
			script: "postinst", arguments: "configure 0.0.9", commands: debian, failing: "setcap systemctl", files: []string{systemd},
			want: users + owned + "procspan: the file system keeps no capabilities; the service works, members of the group procspan need sudo\n" + configed +
				"systemctl daemon-reload\nprocspan: the service did not restart; its log has the reason: journalctl -u procspan\n",
		},
		{
			script: "postinst", arguments: "0.1.0", commands: "rc-service getent", failing: "rc-service", files: []string{openRC},
			want: strings.Join(strings.SplitAfter(owned, "\n")[:2], "") + "procspan: there is no setcap; the service works, members of the group procspan need sudo\n" + configed +
				"rc-service --quiet --ifexists --ifstarted procspan restart\nprocspan: the service did not restart; its log has the reason\n",
		},
		{script: "prerm", arguments: "upgrade 0.2.0", commands: debian, files: []string{systemd}},
		{script: "prerm", arguments: "failed-upgrade 0.0.9", commands: debian, files: []string{systemd}},
		{script: "prerm", arguments: "deconfigure in-favour x 1", commands: debian, files: []string{systemd}},
		{script: "prerm", arguments: "1", commands: debian, files: []string{systemd}},
		{script: "prerm", arguments: "remove", commands: debian, files: []string{systemd}, want: stopped},
		{script: "prerm", arguments: "remove in-favour x 1", commands: debian, want: "systemctl disable procspan.service\n"},
		{script: "prerm", arguments: "0", commands: debian, files: []string{systemd}, want: stopped},
		{script: "prerm", arguments: "0.1.0", commands: alpine, want: "rc-service --quiet --ifexists --ifstarted procspan stop\n" + "rc-update --quiet --all delete procspan\n"},
		{script: "prerm", arguments: "0.1.0", commands: alpine, failing: alpine, want: "rc-service --quiet --ifexists --ifstarted procspan stop\n" + "rc-update --quiet --all delete procspan\n"},
		{script: "prerm", arguments: "remove", commands: debian, failing: "systemctl procspan", files: []string{systemd, "/sys/fs/bpf/procspan/x"}, want: stopped + "procspan detach\n"},
		{script: "prerm", arguments: "remove", commands: "", noConfig: true, files: []string{"/sys/fs/bpf/procspan/x"}, want: "procspan detach\n"},
		{
			script: "prerm", arguments: "remove", commands: "", config: "/sys/fs/bpf/elsewhere", files: []string{"/sys/fs/bpf/elsewhere/x"},
			want: "procspan detach --config /etc/procspan.yaml\n",
		},
		{script: "prerm", arguments: "remove", commands: "", config: "/sys/fs/bpf/elsewhere", files: []string{"/sys/fs/bpf/procspan/x"}},
		{script: "postrm", arguments: "remove", commands: debian, failing: "systemctl", files: []string{systemd}, want: "systemctl daemon-reload\n"},
		{script: "postrm", arguments: "0", commands: debian, files: []string{systemd}, want: "systemctl daemon-reload\n"},
		{script: "postrm", arguments: "purge"},
	} {
		t.Run(tc.script+" "+tc.arguments, func(t *testing.T) {
			i := newInstallation(t, append(tc.files, "/var/lib/procspan/spans", "/var/lib/private/procspan/spans",
				"/var/log/procspan/traces.jsonl", "/var/log/private/procspan/traces.jsonl", "/run/procspan/state")...)
			config := filepath.Join(i.root, "/etc/procspan.yaml")
			if tc.config != "" {
				i.write(t, "/etc/procspan.yaml", i.root+tc.config)
			} else if tc.noConfig {
				if err := os.Remove(config); err != nil {
					t.Fatal(err)
				}
			}
			if out, err := i.run(t, tc.script, tc.arguments, tc.commands, tc.failing); err != nil || out != tc.want {
				t.Errorf("%v\n%s\nwant\n%s", err, out, tc.want)
			}
			for _, path := range []string{"/var/lib/procspan", "/var/lib/private/procspan", "/var/log/procspan", "/var/log/private/procspan", "/run/procspan"} {
				_, err := os.Stat(filepath.Join(i.root, path))
				if gone := os.IsNotExist(err); gone != (tc.arguments == "purge") {
					t.Errorf("%s: %v", path, err)
				}
			}
		})
	}
}
