package enrich

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLiving(t *testing.T) {
	t.Setenv("LIVING", "not of the start")
	proc := NewProc("/proc")
	l, err := proc.Living(uint32(os.Getpid()), 4096, []string{"PATH"})
	if err != nil {
		t.Fatal(err)
	}
	session, err := unix.Getsid(0)
	if err != nil {
		t.Fatal(err)
	}
	if !l.Execed || l.Parent.PID != uint32(os.Getppid()) || l.Groups.Group != uint32(unix.Getpgrp()) || l.Groups.Session != uint32(session) ||
		l.Credentials.RealUser != uint32(os.Getuid()) || l.Credentials.EffectiveUser != uint32(os.Geteuid()) || l.Credentials.OtherRoot {
		t.Errorf("got %+v", l)
	}
	if executable, _ := os.Executable(); l.Image.Executable != executable || !strings.HasPrefix(l.Image.Environment, "PATH=") || l.Image.ArgsCount != len(os.Args) {
		t.Errorf("image %+v", l.Image)
	}
	if err := proc.same(proc.dir(l.ID.PID), l.ID); err != nil {
		t.Errorf("its id is that of another: %v", err)
	}
	if _, err := proc.Living(1<<31, 4096, nil); err == nil {
		t.Error("no error for a process that does not exist")
	}
}
