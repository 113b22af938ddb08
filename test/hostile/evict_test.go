package hostile

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A user whose processes execute again and again with long arguments, and stay,
// fills what the agent keeps of running processes: what it knows about the
// processes of others remains.
func TestEvictsNobodyElse(t *testing.T) {
	requireRoot(t)
	dir := stage(t)
	a := startAgent(t, dir, "capture: {args: full, args_max_bytes: 32768}", "")
	a.mostMemory = 700 << 20 // its limit for these strings is 256 MiB
	victim := exec.Command("cat", "-", strings.Repeat("/", 2000))
	in, err := victim.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	attack(t, dir, "crowd 200 55")
	in.Close()
	_ = victim.Wait() // exits with 1: / is no file
	span := a.spanOf(victim.Process.Pid)
	if args, _ := span.Attr("process.command_args").([]string); len(args) != 3 || args[2] != victim.Args[2] {
		t.Errorf("process.command_args is %.100q, want %.100q", args, victim.Args)
	}
	for _, key := range []string{"process.executable.path", "process.user.name"} {
		if span.Attr(key) == nil {
			t.Errorf("there is no %s", key)
		}
	}
	a.check()
}

// crowd starts processes that execute a shell so many times, each with 30,000 bytes
// of arguments, and then wait. args are both numbers.
func crowd(args string) error {
	var processes, execs int
	if _, err := fmt.Sscan(args, &processes, &execs); err != nil {
		return err
	}
	const script = `[ "$1" = 0 ] && exec cat; exec sh -c "$0" "$0" $(($1-1)) "$2"`
	for range processes {
		cmd := exec.Command("sh", "-c", script, script, fmt.Sprint(execs), strings.Repeat("x", 30_000))
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if _, err := cmd.StdinPipe(); err != nil { // open until this process ends
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		crowded = append(crowded, cmd)
	}
	every := time.NewTicker(10 * time.Millisecond)
	defer every.Stop()
	for _, cmd := range crowded {
		for {
			comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", cmd.Process.Pid))
			if err != nil {
				return err
			}
			if string(comm) == "cat\n" {
				break
			}
			<-every.C
		}
	}
	return nil
}

// crowded keeps the pipes of the attacker's processes open.
var crowded []*exec.Cmd
