package enrich

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/test/noleak"
)

// commVariable makes the test binary the child of a test: it takes the value
// as its name, says on its standard output that it is ready, and stays until
// its standard input ends.
const commVariable = "PROCSPAN_TEST_COMM"

func TestMain(m *testing.M) {
	if comm, ok := os.LookupEnv(commVariable); ok {
		if err := stay(comm); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	noleak.Main(m)
}

func stay(comm string) error {
	// The name of the process is that of its first thread.
	if err := os.WriteFile(fmt.Sprintf("/proc/self/task/%d/comm", os.Getpid()), []byte(comm), 0); err != nil {
		return err
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// child starts the test binary with these arguments and directory. It is ready
// when child returns, and stays until the returned function is called, which
// waits until it is a zombie, or the test ends.
func child(t *testing.T, comm, dir string, args []string) (id process.ID, end func()) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := &exec.Cmd{
		Path: executable, Args: args, Dir: dir,
		Env:    slices.Concat([]string{"FIRST=1"}, os.Environ(), []string{commVariable + "=" + comm, "FIRSTBORN=2", "LAST="}),
		Stderr: os.Stderr,
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the child ended with %v", err)
		}
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the child said %q, %v; want ready", line, err)
	}
	pid := cmd.Process.Pid
	return process.ID{PID: uint32(pid), Start: startOf(t, pid)}, func() {
		stdin.Close()
		if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
			t.Fatalf("wait for pid %d: %v", pid, err)
		}
	}
}

// startOf reads a start time on a way of its own: the 20th word after the last
// ") " is the 22nd field.
func startOf(t *testing.T, pid int) process.Time {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	words := bytes.Split(stat[bytes.LastIndex(stat, []byte(") "))+2:], []byte(" "))
	ticks, err := strconv.ParseUint(string(words[19]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	// The kernel's own time is finer than a tick.
	return process.Time(ticks*clockTick + 1_234_567)
}
