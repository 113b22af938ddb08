package hostile

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// With the file capabilities of make install, nobody reads by the program what
// they may not read, nor executes it.
func TestFileCapabilities(t *testing.T) {
	requireRoot(t)
	dir := stage(t)
	procspan, secret := filepath.Join(dir, "procspan"), filepath.Join(dir, "secret")
	const hidden = "root:$y$j9T$3kq0hiddenhiddenhidden"
	put(t, secret, hidden+":19000:0:99999:7:::\n", 0o600)
	put(t, filepath.Join(dir, "runnable"), "#!/bin/sh\necho "+hidden+"\n", 0o700)
	if out, err := exec.Command("setcap", "cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search=ep", procspan).CombinedOutput(); err != nil {
		t.Fatalf("setcap: %v\n%s", err, out)
	}
	for _, tc := range []struct {
		name string
		args []string
		env  []string
	}{
		{name: "config check", args: []string{"config", "check", secret}},
		{name: "exec -c", args: []string{"exec", "-c", secret, "--", "true"}},
		{name: "OTEL_CONFIG_FILE", args: []string{"exec", "--", "true"}, env: []string{"OTEL_CONFIG_FILE=" + secret}},
		{name: "view", args: []string{"view", secret}},
		{name: "exec", args: []string{"exec", "--", filepath.Join(dir, "runnable")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd := asNobody(procspan, tc.args...)
			cmd.Env = append(cmd.Env, tc.env...)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "permission denied") {
				t.Errorf("it ends with %v, want \"permission denied\":\n%s", err, out)
			}
			if strings.Contains(string(out), "hidden") || strings.Contains(string(out), "$y$") {
				t.Errorf("it shows the file:\n%s", out)
			}
		})
	}
	// What may be executed runs without any capability.
	out, err := asNobody(procspan, "exec", "--", "sh", "-c", "grep -h '^Cap[EPIA]' /proc/self/status; cat "+secret+" || exit 0").CombinedOutput()
	if err != nil || strings.Contains(string(out), "hidden") {
		t.Errorf("exec ends with %v:\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "Cap") && strings.Trim(line[len("CapEff:"):], " 0\t\n") != "" {
			t.Errorf("the command has capabilities: %s", line)
		}
	}
}
