package main

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestDebianMirror(t *testing.T) {
	const deb822 = "Types: deb\n# http://snapshot.debian.org/debian\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\n\n" +
		"Types: deb\nURIs: https://mirror.example/debian/\nSuites: bookworm\n"
	for _, tc := range []struct {
		name, file, text, want string
	}{
		{"deb822", "sources.list.d/debian.sources", deb822, "https://mirror.example/debian/"},
		{"one line", "sources.list", "# deb http://old.example/debian x main\ndeb [arch=amd64] http://mirror.example/debian bookworm main # here\n", "http://mirror.example/debian"},
		{"not Debian", "sources.list", "deb http://archive.ubuntu.com/ubuntu noble main\n", ""},
		{"nothing", "else", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			etc := t.TempDir()
			write(t, filepath.Join(etc, tc.file), tc.text)
			got, err := debianMirror(etc)
			if got != tc.want || (err == nil) != (tc.want != "") {
				t.Errorf("mirror %q, error %v, want %q", got, err, tc.want)
			}
			if err != nil && !strings.Contains(err.Error(), "run this on Debian") {
				t.Errorf("error %q has no hint", err)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	const sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // of "hello"
	other := strings.Repeat("0", 64)
	for _, tc := range []struct {
		name, recorded, beside, want string
	}{
		{"recorded", other + "  else.deb\n" + sum + "  it.deb\n", "", ""},
		{"recorded otherwise", other + "  it.deb\n", sum + "  it.deb\n", "has SHA-256 " + sum},
		{"not recorded", other + "  else.deb\n", sum + "  it.deb\n", ""},
		{"not recorded and changed", "", other + "  it.deb\n", "has SHA-256 " + sum},
		{"not recorded and hash lost", "", "", "remove the package and try again"},
		{"not recorded and hash half written", "", sum[:20], "remove it and try again"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			deb := filepath.Join(t.TempDir(), "it.deb")
			write(t, deb, "hello")
			if tc.beside != "" {
				write(t, deb+".sha256", tc.beside)
			}
			err := check(deb, tc.recorded)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

// Only a package that came whole is in the cache.
func TestCached(t *testing.T) {
	dir := t.TempDir()
	for _, step := range []struct{ file, want, err string }{
		{"incoming/a.deb", "", ""}, // interrupted
		{"a.deb.sha256", "", ""},   // interrupted
		{"a.deb", "a.deb", ""},
		{"b.deb", "", "holds 2 packages"},
	} {
		write(t, filepath.Join(dir, step.file), "")
		want := step.want
		if want != "" {
			want = filepath.Join(dir, want)
		}
		got, err := cached(dir)
		if got != want || (err == nil) != (step.err == "") || err != nil && !strings.Contains(err.Error(), step.err) {
			t.Errorf("after %s: %q and error %v, want %q and %q", step.file, got, err, want, step.err)
		}
	}
}

// Each kernel's package is recorded.
func TestRecorded(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(recorded), "\n")
	if len(lines) != len(kernels()) {
		t.Errorf("%d packages are recorded for %d kernels", len(lines), len(kernels()))
	}
	for i, line := range lines {
		sum, name, _ := strings.Cut(line, "  ")
		if len(sum) != 64 || !strings.HasSuffix(name, ".deb") || lookUp(recorded, name) != sum {
			t.Errorf("line %d is no line of sha256sum: %q", i+1, line)
		}
	}
}

func TestKernelOf(t *testing.T) {
	archive := func(names ...string) *bytes.Buffer {
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		for _, name := range names {
			if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(name))}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte(name)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return &buf
	}
	got, err := extract(archive("./boot/config-6.1", "./boot/vmlinuz-6.1", "./lib/x"), vmlinuz)
	if err != nil || string(got) != "./boot/vmlinuz-6.1" {
		t.Errorf("kernel %q, error %v", got, err)
	}
	if _, err := extract(archive("./boot/config-6.1"), vmlinuz); err == nil || !strings.Contains(err.Error(), "no boot/vmlinuz-*") {
		t.Errorf("error %v, want one that says that there is none", err)
	}
	half := archive("./boot/vmlinuz-6.1")
	half.Truncate(512 + 4)
	if got, err := extract(half, vmlinuz); err == nil {
		t.Errorf("half an archive gave %q", got)
	}
}
