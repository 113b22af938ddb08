package bpf

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFewCapabilities opens a tracer as nobody, with the capabilities that are
// documented and no other. Before 5.11 the memory of maps is what one may lock, and
// more of that takes CAP_SYS_RESOURCE.
func TestFewCapabilities(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI runs this as root, and this is not root")
		}
		t.Skip("not root: it cannot give capabilities away")
	}
	binary := everybodysCopy(t)
	observe := func(caps ...uintptr) string {
		cmd := exec.Command(binary, "be", "observer")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, AmbientCaps: caps}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	// Where this process does not have it itself, nobody misses it.
	var resource []uintptr
	if has(t, unix.CAP_SYS_RESOURCE) {
		resource = []uintptr{unix.CAP_SYS_RESOURCE}
	}
	const observes = "it observes"
	for _, tc := range []struct {
		name string
		caps []uintptr
	}{
		{"none", nil},
		{"no CAP_PERFMON", append(resource, unix.CAP_BPF)},
		{"no CAP_BPF", append(resource, unix.CAP_PERFMON)},
	} {
		if got := observe(tc.caps...); !strings.Contains(got, "give it CAP_BPF and CAP_PERFMON") {
			t.Errorf("%s: got %q, want an error that names the hint", tc.name, got)
		}
	}
	got := observe(unix.CAP_BPF, unix.CAP_PERFMON)
	if got != observes && !strings.Contains(got, "CAP_SYS_RESOURCE") {
		t.Errorf("CAP_BPF and CAP_PERFMON: got %q, want that it observes, or what else it takes", got)
	}
	t.Logf("CAP_BPF and CAP_PERFMON: %s", got)
	if got := observe(append(resource, unix.CAP_BPF, unix.CAP_PERFMON)...); got != observes {
		t.Errorf("with CAP_SYS_RESOURCE as well: got %q, want %q", got, observes)
	}
}

// has reports whether this process has a capability to give away.
func has(t *testing.T, capability int) bool {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	must(t, unix.Capget(&header, &data[0]))
	return data[capability/32].Permitted&(1<<(capability%32)) != 0
}

// observer is what such a process does.
func observer() {
	tr, err := Open(Options{RingSize: 16 << 20, ArgsMaxBytes: 4096})
	if err == nil {
		_, err = tr.Running()
	}
	if err == nil {
		err = tr.Close()
	}
	if err != nil {
		_, _ = io.WriteString(os.Stdout, err.Error())
		return
	}
	_, _ = io.WriteString(os.Stdout, "it observes")
}

// everybodysCopy copies this binary to where everybody may execute it.
func everybodysCopy(t *testing.T) (path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "procspan-everybody")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	must(t, os.Chmod(dir, 0o755))
	self, err := os.Executable()
	must(t, err)
	data, err := os.ReadFile(self)
	must(t, err)
	path = filepath.Join(dir, "bpf.test")
	must(t, os.WriteFile(path, data, 0o755))
	return path
}
