package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// needTools skips where a program that the test drives is not installed, or the
// test is not run as root; in CI that is a failure.
func needTools(t *testing.T, tools ...string) {
	t.Helper()
	lacking := ""
	if os.Geteuid() != 0 {
		lacking = "not root"
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			lacking = tool + " is not installed"
		}
	}
	switch {
	case lacking == "":
	case os.Getenv("CI") == "true":
		t.Fatal(lacking)
	default:
		t.Skip(lacking)
	}
}

// install runs make build and make install into a directory of the test's own,
// and returns the path of the binary, which the group nogroup may execute.
func install(t *testing.T) string {
	t.Helper()
	needTools(t, "make", "setcap", "getent")
	dir, err := os.MkdirTemp("", "procspan-install") // t.TempDir cannot be entered by others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("make", "-C", "../..", "build", "install", "BIN="+dir+"/built", "DESTDIR="+dir, "GROUP=nogroup")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make install: %v\n%s", err, out)
	}
	return filepath.Join(dir, "usr/local/bin/procspan")
}

const nobody = 65534

// statusOf returns a field of /proc/PID/task/TID/status for each thread.
func statusOf(t *testing.T, pid, field string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/" + pid + "/task/*/status")
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, file := range files {
		status, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		_, after, _ := strings.Cut(string(status), field+":")
		value, _, _ := strings.Cut(after, "\n")
		values = append(values, strings.TrimSpace(value))
	}
	return values
}

// The installed binary works for a user who is not root, and gives CMD none of its
// capabilities.
func TestInstalledForUsers(t *testing.T) {
	binary := install(t)
	cmd := exec.Command(binary, "exec", "--", "sh", "-c", "grep -E 'Cap(Prm|Eff|Amb)|NoNewPrivs' /proc/self/status; id -u; exit 7")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, _ := cmd.Output() // ends with 7
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("exit code %d, want 7; it said: %s", code, &stderr)
	}
	const none = "0000000000000000"
	want := "CapPrm:\t" + none + "\nCapEff:\t" + none + "\nCapAmb:\t" + none + "\nNoNewPrivs:\t0\n65534\n"
	if string(out) != want {
		t.Errorf("CMD has\n%s, want\n%s", out, want)
	}
	if !strings.Contains(stderr.String(), "✗ exit 7") {
		t.Errorf("no tree on standard error: %s", &stderr)
	}
	other := exec.Command(binary, "version")
	other.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: 1}}
	if err := other.Run(); err == nil {
		t.Error("a user who is not in the group may execute it")
	}
	// But through sudo, root executes it, and CMD alone is that user's.
	sudo := exec.Command(binary, "exec", "--", "id", "-u")
	sudo.Env = append(os.Environ(), "SUDO_UID=1", "SUDO_GID=1")
	stderr.Reset()
	sudo.Stderr = &stderr
	if out, err := sudo.Output(); err != nil || string(out) != "1\n" {
		t.Errorf("through sudo: %v, CMD says %q, want 1; it said: %s", err, out, &stderr)
	}
}

// Once it observes, run keeps one capability in all threads, and cannot gain
// others; nor does a service that has them as ambient ones, as the unit gives
// them.
func TestRunDropsPrivileges(t *testing.T) {
	binary := install(t)
	needTools(t, "setpriv")
	caps := "-all,+bpf,+perfmon,+sys_ptrace,+dac_read_search"
	for name, command := range map[string][]string{
		"root":              {binary, "run"},
		"file capabilities": {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", binary, "run"},
		"service": {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs",
			"--bounding-set=" + caps, "--inh-caps=" + caps, "--ambient-caps=" + caps, binary, "run"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(command[0], command[1:]...)
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(stderr)
			if !lines.Scan() || !strings.Contains(lines.Text(), "msg=observing") {
				t.Errorf("it does not observe: %s", lines.Text())
			}
			const bpfOnly = "0000008000000000" // 1 << CAP_BPF
			deadline := time.Now().Add(20 * time.Second)
			for {
				caps := slices.Compact(slices.Sorted(slices.Values(statusOf(t, strconv.Itoa(cmd.Process.Pid), "CapPrm"))))
				nnp := slices.Compact(slices.Sorted(slices.Values(statusOf(t, strconv.Itoa(cmd.Process.Pid), "NoNewPrivs"))))
				if slices.Equal(caps, []string{bpfOnly}) && slices.Equal(nnp, []string{"1"}) {
					break
				}
				if time.Now().After(deadline) {
					t.Errorf("its threads have the capabilities %v, want %s; no_new_privs %v, want 1", caps, bpfOnly, nnp)
					break
				}
			}
			if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
				t.Fatal(err)
			}
			for lines.Scan() {
				if strings.Contains(lines.Text(), "level=ERROR") || strings.Contains(lines.Text(), "level=WARN") {
					t.Errorf("it logs: %s", lines.Text())
				}
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("it ends with %v", err)
			}
		})
	}
}

// everything returns a configuration that has run do all it can do. Nobody is
// there to send to, so that it also tries, waits, warns and stores.
func everything(t *testing.T, binary string) (config string) {
	t.Helper()
	dir, pins := t.TempDir(), t.TempDir()
	if err := unix.Mount("bpf", pins, "bpf", 0, ""); err != nil {
		t.Fatal(err)
	}
	config = filepath.Join(dir, "procspan.yaml")
	t.Cleanup(func() {
		if out, err := exec.Command(binary, "detach", "--config", config).CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "unloaded ") {
			t.Errorf("detach: %v\n%s", err, out)
		}
		if err := unix.Unmount(pins, 0); err != nil {
			t.Error(err)
		}
	})
	const text = `file_format: "1.0"
tracer_provider: {processors: [{batch: {schedule_delay: 1, exporter: {otlp_grpc: {endpoint: "http://127.0.0.1:1"}}}}]}
logger_provider: {processors: [{batch: {schedule_delay: 1, exporter: {otlp_grpc: {endpoint: "http://127.0.0.1:1"}}}}]}
meter_provider:
  readers:
    - pull: {exporter: {prometheus/development: {host: 127.0.0.1, port: 0}}}
    - periodic: {interval: 100, exporter: {otlp_grpc: {endpoint: "http://127.0.0.1:1"}}}
distribution:
  procspan:
    health: {endpoint: "127.0.0.1:0"}
    delivery: {directory: DIR/store}
    daemon: {pin_directory: PINS/procspan, state_directory: DIR/state}
`
	if err := os.WriteFile(config, []byte(strings.NewReplacer("DIR", dir, "PINS", pins).Replace(text)), 0o644); err != nil {
		t.Fatal(err)
	}
	return config
}

// The exposure of the unit, by systemd's own measure, does not grow. An agent that
// may connect to a collector anywhere cannot get below 2.1.
func TestSystemdUnitExposure(t *testing.T) {
	needTools(t, "systemd-analyze")
	for _, tc := range []struct {
		name    string
		dropIns []string
		tenths  string
	}{
		{"collector anywhere", nil, "21"},
		{"collector on this host", []string{"local-collector.conf"}, "19"},
		{"persist, as root", []string{"local-collector.conf", "persist.conf"}, "25"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			unit := filepath.Join(t.TempDir(), "procspan.service")
			copyFile(t, unit, "../../deploy/procspan.service")
			for _, dropIn := range tc.dropIns {
				copyFile(t, filepath.Join(unit+".d", dropIn), "../../deploy/"+dropIn)
			}
			out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold="+tc.tenths, unit).CombinedOutput()
			if err != nil {
				t.Errorf("more than %s tenths: %v\n%s", tc.tenths, err, out)
			}
		})
	}
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, content, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The unit is valid, and its system call filter allows everything that run calls.
func TestSystemdUnit(t *testing.T) {
	binary := install(t)
	needTools(t, "systemd-analyze", "strace")
	unit, err := os.ReadFile("../../deploy/procspan.service")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "procspan.service")
	text := strings.ReplaceAll(string(unit), "/usr/local/bin/procspan", binary)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	verify := func() {
		if out, err := exec.Command("systemd-analyze", "verify", file).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("systemd-analyze verify: %v\n%s", err, out)
		}
	}
	verify()
	for _, dropIn := range []string{"persist.conf", "local-collector.conf"} {
		copyFile(t, filepath.Join(file+".d", dropIn), "../../deploy/"+dropIn)
	}
	verify()

	allowed := make(map[string]bool)
	var families []string
	for line := range strings.Lines(text) {
		if names, ok := strings.CutPrefix(strings.TrimSpace(line), "RestrictAddressFamilies="); ok {
			families = strings.Fields(names)
		}
		filter, ok := strings.CutPrefix(strings.TrimSpace(line), "SystemCallFilter=")
		filter, deny := strings.CutPrefix(filter, "~")
		if !ok {
			continue
		}
		for _, item := range strings.Fields(filter) {
			for _, call := range systemCalls(t, item) {
				allowed[call] = !deny
			}
		}
	}
	trace := filepath.Join(t.TempDir(), "trace")
	// As the unit does, or more, whatever the test has, so that procspan need not call
	// setpriority.
	cmd := exec.Command("nice", "-n", "-40", "strace", "-f", "-qq", "-o", trace, binary, "run", "--persist", "--config", everything(t, binary))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if strings.Contains(lines.Text(), "msg=observing") {
			_ = exec.Command(binary, "version").Run() // a span to send
		}
		if strings.Contains(lines.Text(), "export failed, will retry") && !stopped {
			stopped = true
			children, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/task/" + strconv.Itoa(cmd.Process.Pid) + "/children")
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(children)))
			if err != nil {
				t.Fatal(err)
			}
			_ = unix.Kill(pid, unix.SIGTERM)
			_ = unix.Kill(pid, unix.SIGINT) // ends the flush
		}
	}
	if err := cmd.Wait(); err != nil || !stopped {
		t.Errorf("run under strace ended with %v; told to stop: %t", err, stopped)
	}
	calls, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	used := 0
	for line := range strings.Lines(string(calls)) {
		_, call, _ := strings.Cut(line, " ")
		name, arguments, ok := strings.Cut(strings.TrimSpace(call), "(")
		if !ok || strings.ContainsAny(name, " <+-") {
			continue
		}
		if family, _, _ := strings.Cut(arguments, ","); name == "socket" && !slices.Contains(families, family) {
			t.Errorf("run calls %s(%s, …), which the unit forbids", name, family)
		}
		used++
		if !allowed[name] {
			allowed[name] = true // say it once
			t.Errorf("run calls %s, which the unit forbids", name)
		}
	}
	if used < 100 {
		t.Errorf("strace saw %d system calls only", used)
	}
}

// systemCalls returns the system calls that an item of SystemCallFilter means.
func systemCalls(t *testing.T, item string) []string {
	t.Helper()
	if !strings.HasPrefix(item, "@") {
		return []string{item}
	}
	out, err := exec.Command("systemd-analyze", "syscall-filter", item).Output()
	if err != nil {
		t.Fatalf("systemd-analyze syscall-filter %s: %v", item, err)
	}
	var calls []string
	for line := range strings.Lines(string(out)) {
		word := strings.TrimSpace(line)
		if word == "" || word == item || strings.HasPrefix(word, "#") {
			continue
		}
		calls = append(calls, systemCalls(t, word)...)
	}
	return calls
}
