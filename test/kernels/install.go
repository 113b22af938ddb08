package main

import (
	"archive/tar"
	"bufio"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// installed holds what the guest runs, and its collector's configuration.
//
//go:embed installed
var installed embed.FS

// debian is the release that the package is installed on, and what its root has
// beside the essential packages.
const (
	debian         = "bookworm"
	debianPackages = "systemd,systemd-sysv,dbus,libcap2-bin"
)

// steps is how many steps installed/run.sh has.
const steps = 21

// install boots a fresh Debian with systemd, and lets it install the package, use
// it, upgrade it while o.install processes come and go, remove and purge it. It
// returns an error when a step fails.
func install(ctx context.Context, o options, cache, work string) error {
	k := kernelNamed("6.1") // Debian 12's
	vmlinuz, err := fetch(ctx, cache, work, k)
	if err != nil {
		return err
	}
	files, err := installFiles(ctx, o, work)
	if err != nil {
		return err
	}
	root, err := debianRoot(ctx, cache)
	if err != nil {
		return err
	}
	initramfs := filepath.Join(work, "initramfs-debian")
	if err := writeRoot(root, initramfs, files); err != nil {
		return fmt.Errorf("make a root of %s: %w", root, err)
	}
	ctx, cancel := context.WithTimeout(ctx, guestLimit)
	defer cancel()
	fmt.Printf("booting Debian %s\n", debian)
	cmd := exec.CommandContext(ctx, k.arch.qemu, append([]string{
		"-accel", "tcg,thread=multi", "-smp", "2", "-m", "2048", "-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio",
		"-kernel", vmlinuz, "-initrd", initramfs,
		"-append", k.arch.boot + " quiet panic=-1 systemd.show_status=0 systemd.log_level=warning",
	}, k.arch.args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	failed := followSteps(out, o.verbose)
	return errors.Join(failed, cmd.Wait())
}

// followSteps prints what the guest says of its steps, and returns an error for
// those that failed and for those that it has not said anything of.
func followSteps(out io.Reader, verbose bool) error {
	var failures []error
	var other strings.Builder
	passed, done := 0, false
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "PASS "):
			passed++
			fmt.Println(line)
		case strings.HasPrefix(line, "FAIL "):
			failures = append(failures, errors.New(line))
			fmt.Println(line)
		case line == "DONE":
			done = true
		default:
			if verbose || len(failures) > 0 {
				fmt.Println("|", line)
			}
			fmt.Fprintln(&other, line)
		}
		if err != nil {
			break
		}
	}
	switch {
	case !done:
		failures = append(failures, fmt.Errorf("the guest ended after %d steps:\n%s", passed, &other))
	case passed+len(failures) != steps:
		failures = append(failures, fmt.Errorf("%d steps passed and %d failed, want %d in all", passed, len(failures), steps))
	}
	return errors.Join(failures...)
}

// added is a file that the root has beside Debian's.
type added struct {
	path string
	mode uint32
	data []byte
}

// installFiles builds two versions of the package, a collector and the attacker of
// test/hostile, and returns them with what runs in the guest.
func installFiles(ctx context.Context, o options, work string) (files []added, err error) {
	var debs []string
	for _, version := range []string{"0.0.1", "0.0.2"} {
		fmt.Printf("building the package of version %s\n", version)
		dist := filepath.Join(work, "dist-"+version)
		if err := command(ctx, "deploy", "go", "run", "./release", "-root", "..", "-version", version, "-arch", "amd64", "-format", "deb", "-out", dist); err != nil {
			return nil, err
		}
		deb := "procspan_" + version + "_amd64.deb"
		data, err := os.ReadFile(filepath.Join(dist, deb))
		if err != nil {
			return nil, err
		}
		debs = append(debs, deb)
		files = append(files, added{"test/" + deb, 0o100644, data})
	}
	fmt.Println("building the Collector")
	collector := filepath.Join(work, "collector")
	if err := command(ctx, "test/e2e/collector", "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-gcflags=all=-l -dwarf=false", "-ldflags=-s -w", "-o", collector, "."); err != nil {
		return nil, err
	}
	binary, err := os.ReadFile(collector)
	if err != nil {
		return nil, err
	}
	attacker := filepath.Join(work, "attacker")
	if err := command(ctx, "", "env", "CGO_ENABLED=0", "go", "test", "-c", "-trimpath", "-ldflags=-s -w", "-o", attacker, "./test/hostile"); err != nil {
		return nil, err
	}
	hostile, err := os.ReadFile(attacker)
	if err != nil {
		return nil, err
	}
	script, err := installed.ReadFile("installed/run.sh")
	if err != nil {
		return nil, err
	}
	config, err := installed.ReadFile("installed/otelcol.yaml")
	if err != nil {
		return nil, err
	}
	unit := fmt.Sprintf("[Unit]\nAfter=multi-user.target\n[Service]\nType=oneshot\nExecStart=/test/run.sh %s %s %d\n", debs[0], debs[1], o.install)
	return append(files,
		added{"test/collector", 0o100755, binary},
		added{"test/attacker", 0o100755, hostile},
		added{"test/run.sh", 0o100755, script},
		added{"test/otelcol.yaml", 0o100644, config},
		added{"etc/systemd/system/test.service", 0o100644, []byte(unit)},
		added{"etc/systemd/system/multi-user.target.wants/test.service", 0o120777, []byte("../test.service")},
		added{"etc/hosts", 0o100644, []byte("127.0.0.1 localhost\n")},
		added{"init", 0o120777, []byte("lib/systemd/systemd")},
	), nil
}

// debianRoot returns the path of a Debian root in a tar, as mmdebstrap makes it.
func debianRoot(ctx context.Context, cache string) (string, error) {
	path := filepath.Join(cache, debian+"-root.tar")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	mirror, err := debianMirror("/etc/apt")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	begin := time.Now()
	incoming := filepath.Join(cache, "incoming.tar")
	if err := command(ctx, "", "mmdebstrap", "--variant=minbase", "--include="+debianPackages,
		"--dpkgopt=path-exclude=/usr/share/locale/*", debian, incoming, mirror); err != nil {
		return "", fmt.Errorf("%w; on Debian: apt-get install mmdebstrap", err)
	}
	fmt.Printf("Debian %s is there after %s\n", debian, time.Since(begin).Round(time.Second))
	return path, os.Rename(incoming, path)
}

// writeRoot writes the tar and what is added as an archive that the kernel unpacks.
func writeRoot(root, out string, files []added) error {
	in, err := os.Open(root)
	if err != nil {
		return err
	}
	defer in.Close()
	var archive cpio
	contents := make(map[string][]byte) // for hard links
	for reader := tar.NewReader(bufio.NewReader(in)); ; {
		h, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		name := strings.Trim(strings.TrimPrefix(h.Name, "./"), "/")
		if name == "" || strings.HasPrefix(name, "dev/") || strings.HasPrefix(name, "var/cache/apt/") || strings.HasPrefix(name, "var/lib/apt/lists/") {
			continue
		}
		mode := uint32(h.Mode)
		switch h.Typeflag {
		case tar.TypeDir:
			archive.add(name, 0o040000|mode, nil)
		case tar.TypeSymlink:
			archive.add(name, 0o120777, []byte(h.Linkname))
		case tar.TypeLink:
			archive.add(name, 0o100000|mode, contents[strings.TrimPrefix(h.Linkname, "./")])
		case tar.TypeReg:
			data, err := io.ReadAll(reader)
			if err != nil {
				return err
			}
			contents[name] = data
			archive.add(name, 0o100000|mode, data)
		}
	}
	archive.add("test", 0o040755, nil)
	for _, f := range files {
		archive.add(f.path, f.mode, f.data)
	}
	return os.WriteFile(out, archive.bytes(), 0o644)
}
