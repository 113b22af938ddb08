package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// apt is an apt with its own package lists, for a suite and an architecture that
// may differ from the host's.
type apt struct {
	dir     string
	options []string
}

// newApt returns an apt that keeps everything in dir.
func newApt(dir string, k kernel) (*apt, error) {
	for _, sub := range []string{"lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	mirror, err := debianMirror("/etc/apt")
	if err != nil {
		return nil, err
	}
	list := filepath.Join(dir, "sources.list")
	line := fmt.Sprintf("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n", mirror, k.suite)
	if err := os.WriteFile(list, []byte(line), 0o644); err != nil {
		return nil, err
	}
	a := &apt{dir: dir}
	for _, option := range []string{
		"Dir::Etc::sourcelist=" + list, "Dir::Etc::sourceparts=-",
		"Dir::State::lists=" + filepath.Join(dir, "lists"), "Dir::Cache=" + dir,
		"Dir::State::status=/dev/null",
		"APT::Architecture=" + k.arch.debian, "APT::Architectures=" + k.arch.debian,
		"APT::Sandbox::User=root", "Acquire::Retries=3", "Acquire::Languages=none",
	} {
		a.options = append(a.options, "-o", option)
	}
	return a, nil
}

// debianMirror returns the Debian mirror in apt's configuration directory, which
// may be in either format.
func debianMirror(etc string) (string, error) {
	files, err := filepath.Glob(filepath.Join(etc, "sources.list.d", "*"))
	if err != nil {
		return "", err
	}
	for _, name := range append(files, filepath.Join(etc, "sources.list")) {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // a folder, or not there
		}
		for lines := bufio.NewScanner(strings.NewReader(string(data))); lines.Scan(); {
			line, _, _ := strings.Cut(lines.Text(), "#")
			for _, word := range strings.Fields(line) {
				if strings.Contains(word, "://") && strings.HasSuffix(strings.TrimSuffix(word, "/"), "/debian") {
					return word, nil
				}
			}
		}
	}
	return "", errors.New("find a Debian mirror in " + etc + ": none is configured; the kernels are Debian packages, so run this on Debian")
}

// download fetches the package that meta depends on into dir.
func (a *apt) download(ctx context.Context, meta, dir string) error {
	if err := command(ctx, a.dir, "apt-get", append(a.options, "-q", "update")...); err != nil {
		return fmt.Errorf("update the list of packages: %w", err)
	}
	out, err := exec.CommandContext(ctx, "apt-cache", append(a.options, "depends", meta)...).Output()
	if err != nil {
		return fmt.Errorf("look up %s: %w", meta, err)
	}
	name := ""
	for line := range strings.Lines(string(out)) {
		if after, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: linux-image-"); ok {
			name = "linux-image-" + after
			break
		}
	}
	if name == "" {
		return fmt.Errorf("look up %s: it depends on no kernel:\n%s", meta, out)
	}
	if err := command(ctx, dir, "apt-get", append(a.options, "-q", "download", name)...); err != nil {
		return fmt.Errorf("download %s: %w", name, err)
	}
	return nil
}

// command runs a command; its output is part of the error.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}
