package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// buildImages builds an initramfs for each architecture, with the guest's init and
// the test binaries.
func buildImages(ctx context.Context, work string, chosen []kernel) (map[*arch]string, error) {
	images := make(map[*arch]string)
	for _, k := range chosen {
		if images[k.arch] != "" {
			continue
		}
		fmt.Printf("building the initramfs for %s\n", k.arch.goarch)
		path, err := buildImage(ctx, work, k.arch)
		if err != nil {
			return nil, err
		}
		images[k.arch] = path
	}
	return images, nil
}

func buildImage(ctx context.Context, work string, a *arch) (string, error) {
	var archive cpio
	for _, dir := range []string{"bin", "dev", "etc", "proc", "sys", "tmp"} {
		archive.add(dir, 0o040755, nil)
	}
	// Span resources contain these; without them the agent warns.
	archive.add("etc/machine-id", 0o100644, []byte("0123456789abcdef0123456789abcdef\n"))
	archive.add("etc/os-release", 0o100644, []byte("NAME=guest\nVERSION_ID=1\n"))
	archive.add("etc/passwd", 0o100644, []byte("root:x:0:0::/:/bin/sh\n"))
	binaries := map[string][]string{"init": {"build", "./test/kernels/guest"}}
	names := []string{"init"}
	for _, s := range suites() {
		name := s.name + ".test"
		binaries[name], names = []string{"test", "-c", "-tags=guest,grpcnotrace", s.folder}, append(names, name)
	}
	for _, name := range names {
		data, err := build(ctx, filepath.Join(work, a.goarch+"-"+name), a, binaries[name])
		if err != nil {
			return "", fmt.Errorf("build %s for %s: %w", name, a.goarch, err)
		}
		archive.add(name, 0o100755, data)
	}
	path := filepath.Join(work, "initramfs-"+a.goarch)
	return path, os.WriteFile(path, archive.bytes(), 0o644) // to unpack it would take the guest longer
}

// build runs a go command ("build" or "test -c", with the package last) and returns
// the static binary.
func build(ctx context.Context, out string, a *arch, goCommand []string) ([]byte, error) {
	last := len(goCommand) - 1
	args := append([]string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + a.goarch, "go"}, goCommand[:last]...)
	args = append(args, "-ldflags=-s -w", "-o", out, goCommand[last])
	if err := command(ctx, "", "env", args...); err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}
