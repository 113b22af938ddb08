package hostile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	attackerID = 65534
	// roleVariable makes this binary play a role of the attacker.
	roleVariable = "HOSTILE_ROLE"
	// deadline bounds every wait. It is reached only when something is wrong.
	deadline = time.Minute
)

func TestMain(m *testing.M) {
	if role, ok := os.LookupEnv(roleVariable); ok {
		if err := play(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// play is the attacker's main function. A role that has to last returns its input
// once it stands, until that ends.
func play(role string) error {
	name, args, _ := strings.Cut(role, " ")
	switch name {
	case "environ", "cmdline":
		if err := growArea(name); err != nil {
			return err
		}
	case "traceparents":
		return manyTraceparents(args)
	case "connections":
		if err := holdConnections(args); err != nil {
			return err
		}
	case "crowd":
		if err := crowd(args); err != nil {
			return err
		}
	case "storm":
		return storm(args)
	default:
		return fmt.Errorf("there is no role %q", role)
	}
	_, err := io.Copy(os.Stdout, os.Stdin)
	return err
}

// stage is where the programs are, for all users to execute.
func stage(t *testing.T) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "hostile-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "attacker"), string(own), 0o755)
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", filepath.Join(dir, "procspan"), "./cmd/procspan")
	build.Dir, build.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build procspan: %v\n%s", err, out)
	}
	return dir
}

func put(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
}

// asNobody returns a command of the attacker.
func asNobody(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: attackerID, Gid: attackerID},
		Pdeathsig:  syscall.SIGKILL,
	}
	return cmd
}

// attack starts a role that lasts until the test ends, and returns when it stands.
func attack(t *testing.T, dir, role string) *exec.Cmd {
	t.Helper()
	cmd := asNobody(filepath.Join(dir, "attacker"))
	cmd.Env = append(cmd.Env, roleVariable+"="+role)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	})
	if _, err := io.WriteString(in, "?"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		t.Fatalf("the attacker does not stand: %v", err)
	}
	return cmd
}

// requireRoot skips the test for others than root, but never in CI.
func requireRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if err := fmt.Errorf("to change the user: %w", errors.ErrUnsupported); os.Getenv("CI") != "true" {
		t.Skip(err)
	} else {
		t.Fatal(err)
	}
}
