package main

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// recorded holds the hashes of the packages that were tested with, in the
// format of sha256sum.
//
//go:embed packages.sha256
var recorded string

// fetch returns the path of k's vmlinuz, unpacked in work. Only the package is
// cached; its hash is checked each time.
func fetch(ctx context.Context, cache, work string, k kernel) (string, error) {
	dir := filepath.Join(cache, k.name)
	deb, err := cached(dir)
	if err != nil {
		return "", fmt.Errorf("%s: %w", k.name, err)
	}
	if deb == "" {
		fmt.Printf("%s: fetching %s of %s\n", k.name, k.meta, k.suite)
		if deb, err = download(ctx, dir, k); err != nil {
			return "", fmt.Errorf("%s: %w", k.name, err)
		}
	}
	if err := check(deb, recorded); err != nil {
		return "", fmt.Errorf("%s: %w", k.name, err)
	}
	out := filepath.Join(work, "vmlinuz-"+k.name)
	if err := unpack(ctx, deb, vmlinuz, out); err != nil {
		return "", fmt.Errorf("%s: unpack %s: %w", k.name, filepath.Base(deb), err)
	}
	return out, nil
}

// cached returns the package that dir holds, or "".
func cached(dir string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(found) == 0 {
		return "", err
	}
	if len(found) > 1 {
		return "", fmt.Errorf("%s holds %d packages, want 1: remove it and try again", dir, len(found))
	}
	return found[0], nil
}

// download puts the package and its hash into dir. The package is moved there
// last, so an interrupted download leaves nothing that cached would find.
func download(ctx context.Context, dir string, k kernel) (string, error) {
	// apt cannot resume what it was interrupted in.
	incoming := filepath.Join(dir, "incoming")
	if err := os.RemoveAll(incoming); err != nil {
		return "", err
	}
	if err := os.MkdirAll(incoming, 0o755); err != nil {
		return "", err
	}
	apt, err := newApt(dir, k)
	if err != nil {
		return "", err
	}
	if err := apt.download(ctx, k.meta, incoming); err != nil {
		return "", err
	}
	came, err := cached(incoming)
	if err != nil {
		return "", err
	}
	if came == "" {
		return "", fmt.Errorf("download %s: apt-get put no package into %s", k.meta, incoming)
	}
	sum, err := hash(came)
	if err != nil {
		return "", err
	}
	deb := filepath.Join(dir, filepath.Base(came))
	if err := os.WriteFile(deb+".sha256", []byte(sum+"  "+filepath.Base(deb)+"\n"), 0o644); err != nil {
		return "", err
	}
	return deb, os.Rename(came, deb)
}

// check compares a package with its recorded hash. It reports a version that is
// not recorded, and compares it with the hash stored at the download, when apt
// checked it against the archive's signed list.
func check(deb, recorded string) error {
	got, err := hash(deb)
	if err != nil {
		return err
	}
	name := filepath.Base(deb)
	want := lookUp(recorded, name)
	if want == "" {
		fmt.Printf("%s is not recorded in test/kernels/packages.sha256: the recorded versions are\n%sTo record this one add\n%s  %s\n", name, recorded, got, name)
		beside, err := os.ReadFile(deb + ".sha256")
		if err != nil {
			return fmt.Errorf("find the hash of %s: %w; remove the package and try again", deb, err)
		}
		want = lookUp(string(beside), name)
	}
	if got != want {
		return fmt.Errorf("%s has SHA-256 %s, want %q: remove it and try again", deb, got, want)
	}
	return nil
}

// lookUp returns the hash of a file in a list as sha256sum prints it, or "".
func lookUp(list, name string) string {
	for line := range strings.Lines(list) {
		if sum, of, _ := strings.Cut(strings.TrimSpace(line), "  "); of == name {
			return sum
		}
	}
	return ""
}

func hash(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// The files of a package that are needed, as patterns.
const (
	vmlinuz   = "boot/vmlinuz-*"
	virtioBlk = "usr/lib/modules/*/kernel/drivers/block/virtio_blk.ko.xz"
)

// unpack writes the file of the package that matches a pattern to out.
func unpack(ctx context.Context, deb, pattern, out string) error {
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	var said strings.Builder
	cmd.Stderr = &said
	archive, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	data, err := extract(archive, pattern)
	_, _ = io.Copy(io.Discard, archive) // or dpkg-deb would wait
	if waited := cmd.Wait(); waited != nil {
		return fmt.Errorf("dpkg-deb: %w\n%s", waited, said.String())
	}
	if err != nil {
		return err
	}
	return os.WriteFile(out, data, 0o644)
}

// extract returns the file of an archive that matches a pattern.
func extract(archive io.Reader, pattern string) ([]byte, error) {
	files := tar.NewReader(archive)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("there is no %s", pattern)
		}
		if err != nil {
			return nil, err
		}
		if ok, _ := path.Match(pattern, path.Clean(header.Name)); ok {
			return io.ReadAll(files)
		}
	}
}
