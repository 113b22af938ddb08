package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/contents.txt")

const testVersion = "0.1.0-rc.1"

// released is a release of this checkout, made once for all tests.
var released string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "procspan-released")
		if err == nil {
			defer os.RemoveAll(dir)
			released = filepath.Join(dir, "dist")
			err = run(context.Background(), "../..", released, testVersion, architectures, formats)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// TestReproducible makes the release again, and compares all bytes.
func TestReproducible(t *testing.T) {
	again := filepath.Join(t.TempDir(), "dist")
	if err := run(t.Context(), "../..", again, testVersion, architectures, formats); err != nil {
		t.Fatal(err)
	}
	first, second := read(t, filepath.Join(released, "SHA256SUMS")), read(t, filepath.Join(again, "SHA256SUMS"))
	if !bytes.Equal(first, second) {
		t.Errorf("two releases differ:\n%s\n%s", first, second)
	}
	if lines := bytes.Count(first, []byte("\n")); lines != 11 {
		t.Errorf("SHA256SUMS has %d lines, want 11: for two architectures an archive, three packages and a bill of materials, and the image", lines)
	}
	check := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = released
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sha256sum --check: %v\n%s", err, out)
	}
}

// TestForeignFolder checks that a release removes nothing but a release.
func TestForeignFolder(t *testing.T) {
	for _, foreign := range []string{"notes.txt", "procspan/main.go"} {
		out := t.TempDir()
		path := filepath.Join(out, foreign)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644), os.WriteFile(filepath.Join(out, "SHA256SUMS"), nil, 0o644)); err != nil {
			t.Fatal(err)
		}
		if _, err := newRelease(t.Context(), "../..", out, testVersion); err == nil || !strings.Contains(err.Error(), "belongs to no release") {
			t.Errorf("with %s in the folder: %v, want an error", foreign, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s was removed", foreign)
		}
	}
}

// entry is what a package says of one file.
type entry struct {
	mode fs.FileMode
	sum  string
}

// TestContents decodes what was written with other programs, and compares it file
// by file: with a list in testdata, and with the bytes that went in.
func TestContents(t *testing.T) {
	for _, arch := range architectures {
		rpmArch := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch]
		archive := unpackArchive(t, filepath.Join(released, "procspan-"+testVersion+"-linux-"+arch+".tar.gz"), "procspan-"+testVersion+"-linux-"+arch)
		var list strings.Builder
		for _, path := range slices.Sorted(maps.Keys(archive)) {
			fmt.Fprintf(&list, "%v %s\n", archive[path].mode, path)
		}
		golden(t, list.String())
		for name, got := range map[string]map[string]entry{
			"deb": unpackDeb(t, filepath.Join(released, "procspan_0.1.0~rc.1_"+arch+".deb")),
			"rpm": listRPM(t, filepath.Join(released, "procspan-0.1.0~rc.1-1."+rpmArch+".rpm")),
			"apk": unpackArchive(t, filepath.Join(released, "procspan_0.1.0_rc1_"+rpmArch+".apk"), ""),
		} {
			t.Run(name+" "+arch, func(t *testing.T) {
				if name == "apk" {
					wantOpenRC(t, got)
				}
				for path, want := range archive {
					if got[path] != want {
						t.Errorf("%s is %v, in the archive %v", path, got[path], want)
					}
					delete(got, path)
				}
				for path := range got {
					t.Errorf("%s is not in the archive", path)
				}
			})
		}
	}
}

func golden(t *testing.T, got string) {
	t.Helper()
	const path = "testdata/contents.txt"
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(path, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, path); got != string(want) {
		t.Errorf("contents are\n%s\nwant (go test -update writes %s)\n%s", got, path, want)
	}
}

// TestConffile checks that upgrades keep the administrator's configuration.
func TestConffile(t *testing.T) {
	for _, tc := range []struct {
		name    string
		command []string
	}{
		{"deb", []string{"dpkg-deb", "--info", "procspan_0.1.0~rc.1_amd64.deb", "conffiles"}},
		{"rpm", []string{"rpm", "-qp", "--configfiles", "procspan-0.1.0~rc.1-1.x86_64.rpm"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if out := output(t, tc.command...); out != "/etc/procspan.yaml\n" {
				t.Errorf("configuration files are %q, want /etc/procspan.yaml alone", out)
			}
		})
	}
}

// TestLintian runs Debian's checker.
func TestLintian(t *testing.T) {
	output(t, "lintian", "--fail-on", "error", "--suppress-tags", "syntax-error-in-debian-changelog", "procspan_0.1.0~rc.1_amd64.deb")
}

// TestLinkedMethods holds that the linker leaves out the methods that nothing calls.
// One use of text/template makes it keep all of them, 4 MB.
func TestLinkedMethods(t *testing.T) {
	for _, arch := range architectures {
		name := "procspan-" + testVersion + "-linux-" + arch
		binary := output(t, "tar", "-xzOf", name+".tar.gz", name+"/usr/bin/procspan")
		if !strings.Contains(binary, "main.main") {
			t.Errorf("%s: no function is named in %d bytes", arch, len(binary))
		}
		if strings.Contains(binary, "text/template.(*state)") {
			t.Errorf("%s: text/template is linked; see the tag grpcnotrace in the Makefile, and markup in report", arch)
		}
	}
}

// TestSizes holds the limits that a release promises.
func TestSizes(t *testing.T) {
	for pattern, limit := range map[string]int64{"procspan_*.deb": 7 << 20, "procspan-*.tar.gz": 8 << 20} {
		files, err := filepath.Glob(filepath.Join(released, pattern))
		if err != nil || len(files) != len(architectures) {
			t.Fatalf("%s: %q (%v), want one for each architecture", pattern, files, err)
		}
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %d bytes", filepath.Base(file), info.Size())
			if info.Size() > limit {
				t.Errorf("%s has %d bytes, want at most %d", filepath.Base(file), info.Size(), limit)
			}
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// output runs a command among the released files.
func output(t *testing.T, command ...string) string {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = released
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", command[0], err, out, &stderr)
	}
	return string(out)
}

// unpackArchive reads the regular files of a tar.gz, below a folder. An apk is such
// archives one after the other; its own files begin with a dot.
func unpackArchive(t *testing.T, path, folder string) map[string]entry {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(read(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	return unpackTar(t, zip, folder)
}

func unpackDeb(t *testing.T, path string) map[string]entry {
	t.Helper()
	return unpackTar(t, strings.NewReader(output(t, "dpkg-deb", "--fsys-tarfile", path)), "")
}

func unpackTar(t *testing.T, r io.Reader, folder string) map[string]entry {
	t.Helper()
	files := make(map[string]entry)
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(strings.TrimPrefix(h.Name, "./"), folder+"/")
		if h.Typeflag != tar.TypeReg || strings.HasPrefix(name, ".") {
			continue
		}
		if h.Uname != "root" || h.Gname != "root" || h.Uid != 0 || h.Gid != 0 {
			t.Errorf("%s belongs to %s:%s (%d:%d), want root", name, h.Uname, h.Gname, h.Uid, h.Gid)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files["/"+name] = entry{h.FileInfo().Mode().Perm(), fmt.Sprintf("%x", sha256.Sum256(data))}
	}
}

// listRPM reads the digests that rpm holds its files against.
func listRPM(t *testing.T, path string) map[string]entry {
	t.Helper()
	output(t, "rpm", "--checksig", "--nosignature", path)
	files := make(map[string]entry)
	for line := range strings.Lines(output(t, "rpm", "-qp", "--qf", `[%{FILENAMES} %{FILEMODES:octal} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILEDIGESTS}\n]`, path)) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue // a folder
		}
		var mode uint32
		if _, err := fmt.Sscanf(f[1], "100%o", &mode); err != nil || f[2] != "root" || f[3] != "root" {
			t.Errorf("%q is no regular file of root (%v)", line, err)
		}
		files[f[0]] = entry{fs.FileMode(mode), f[4]}
	}
	return files
}

// TestInChangelog holds that a tag without notes is no release.
func TestInChangelog(t *testing.T) {
	for version, want := range map[string]string{
		"v0.1.0":      "",
		"v9.9.9-rc.1": "", // notes stand below [Unreleased] until the release
		"v9.9.9":      "tagged v9.9.9, and CHANGELOG.md has no line \"## [9.9.9] - DATE\"",
	} {
		switch err := inChangelog("../..", version); {
		case want == "" && err != nil:
			t.Errorf("%s: %v", version, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want … %s …", version, err, want)
		}
	}
}
