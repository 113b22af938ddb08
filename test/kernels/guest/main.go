// Command guest is the init process of the virtual machines that the kernels
// command boots. It makes the few mounts that a Linux program expects, cgroups
// in the layout that its kernel command line names, runs the test binaries that
// come after that, and powers off.
package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Println("GUEST FAILED: the kernel command line has no layout of cgroups and no command")
	} else if err := prepare(os.Args[1]); err != nil {
		fmt.Println("GUEST FAILED:", err)
	} else {
		run(os.Args[2:])
	}
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("GUEST FAILED: power off:", err)
	}
	select {} // init must not end
}

func prepare(cgroups string) error {
	if err := switchRoot("/root"); err != nil {
		return err
	}
	for _, m := range []struct{ fstype, target string }{
		{"proc", "/proc"},
		{"sysfs", "/sys"},
		{"devtmpfs", "/dev"},
		{"devpts", "/dev/pts"},
		{"tmpfs", "/tmp"},
		{"securityfs", "/sys/kernel/security"},
	} {
		if err := mount(m.fstype, m.target, ""); err != nil {
			return err
		}
	}
	if err := mountCgroups("/sys/fs/cgroup", cgroups); err != nil {
		return err
	}
	if err := os.Chmod("/tmp", 0o1777); err != nil {
		return err
	}
	// As on every Linux. TOMOYO, which 5.10 has on, looks up the /dev/fd/N that
	// execveat makes, and refuses the exec when it is not there.
	if err := os.Symlink("/proc/self/fd", "/dev/fd"); err != nil {
		return err
	}
	// As on hardened hosts: kernel lockdown, and no unprivileged BPF.
	lockdown, err := os.ReadFile("/sys/kernel/security/lockdown")
	if err != nil || !strings.Contains(string(lockdown), "[integrity]") {
		return fmt.Errorf("the kernel is not locked down: %q (%v)", lockdown, err)
	}
	if err := os.WriteFile("/proc/sys/kernel/unprivileged_bpf_disabled", []byte("2"), 0o644); err != nil {
		return err
	}
	// Few pids, so that they are soon reused.
	if err := os.WriteFile("/proc/sys/kernel/pid_max", []byte("4000"), 0o644); err != nil {
		return err
	}
	return loopbackUp()
}

// mountCgroups mounts cgroups in one of the layouts that systemd gives hosts.
func mountCgroups(top, layout string) error {
	switch layout {
	case "v2":
		return mount("cgroup2", top, "")
	case "v1", "hybrid":
	default:
		return fmt.Errorf("mount cgroups: there is no layout %q", layout)
	}
	if err := mount("tmpfs", top, ""); err != nil {
		return err
	}
	for _, controller := range []string{"pids", "cpu", "memory", "devices", "freezer"} {
		if err := mount("cgroup", filepath.Join(top, controller), controller); err != nil {
			return err
		}
	}
	if err := mount("cgroup", filepath.Join(top, "systemd"), "none,name=systemd"); err != nil {
		return err
	}
	if layout == "hybrid" {
		return mount("cgroup2", filepath.Join(top, "unified"), "")
	}
	return nil
}

// mount mounts a file system that has no device, on a directory that it makes.
func mount(fstype, target, data string) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", target, err)
	}
	if err := unix.Mount(fstype, target, fstype, 0, data); err != nil {
		return fmt.Errorf("mount %s: %w", target, err)
	}
	return nil
}

// switchRoot moves to a tmpfs with a copy of the initramfs, from which pivot_root is
// impossible.
func switchRoot(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files := os.DirFS("/")
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount %s: %w", dir, err)
	}
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		target := filepath.Join(dir, path)
		switch {
		case err != nil:
			return err
		case "/"+path == dir:
			return fs.SkipDir
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		case !entry.Type().IsRegular():
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		data, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, info.Mode().Perm())
	})
	if err != nil {
		return fmt.Errorf("copy the initramfs: %w", err)
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	return os.Chdir("/")
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	return nil
}

// run runs commands that are separated by an argument "--then". The kernels command
// parses the lines that it prints around each.
func run(commands []string) {
	for _, command := range strings.Split(strings.Join(commands, "\x00"), "\x00--then\x00") {
		args := strings.Split(command, "\x00")
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = "/tmp"
		cmd.Env = []string{"PATH=/bin", "HOME=/tmp", "TMPDIR=/tmp", "CI=true"}
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
		name := strings.TrimSuffix(filepath.Base(args[0]), ".test")
		fmt.Printf("\nGUEST RUNS %s\n", name)
		code := 0
		if err := cmd.Run(); err != nil {
			if code = cmd.ProcessState.ExitCode(); code <= 0 { // a signal, or not started
				code = 1
			}
			fmt.Printf("\n%s: %v\n", name, err)
		}
		fmt.Printf("\nGUEST RAN %s: exit code %d\n", name, code)
	}
}
