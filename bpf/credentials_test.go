package bpf

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/procspan/procspan/process"
)

// The credentials in the exec and in the list of running processes.
func TestCredentials(t *testing.T) {
	tr := tracer(t, Options{OnlyDescendants: true})
	uid, gid := uint32(os.Getuid()), uint32(os.Getgid())
	own := process.Credentials{
		RealUser: uid, EffectiveUser: uid, SavedUser: uid,
		RealGroup: gid, EffectiveGroup: gid, SavedGroup: gid,
	}
	for _, tc := range []struct {
		name   string
		change func(*testing.T, *exec.Cmd)
		want   process.Credentials
		vpid   uint32 // 0 for the pid
	}{
		{name: "inherited", want: own},
		{
			name: "another user",
			change: func(t *testing.T, cmd *exec.Cmd) {
				cmd.Path = forAll(t, cmd.Path)
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1234, Gid: 5678}}
			},
			want: process.Credentials{
				RealUser: 1234, EffectiveUser: 1234, SavedUser: 1234,
				RealGroup: 5678, EffectiveGroup: 5678, SavedGroup: 5678,
			},
		},
		{
			name: "a set-user-ID file",
			change: func(t *testing.T, cmd *exec.Cmd) {
				cmd.Path = setID(t, cmd.Path, 4321, 8765)
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1234, Gid: 5678}}
			},
			want: process.Credentials{
				RealUser: 1234, EffectiveUser: 4321, SavedUser: 4321,
				RealGroup: 5678, EffectiveGroup: 8765, SavedGroup: 8765,
			},
		},
		{
			name: "user 0 of a user namespace",
			change: func(t *testing.T, cmd *exec.Cmd) {
				cmd.Path = forAll(t, cmd.Path)
				cmd.SysProcAttr = &syscall.SysProcAttr{
					Cloneflags:  syscall.CLONE_NEWUSER,
					UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 1234, Size: 1}},
					GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 5678, Size: 1}},
					Credential:  &syscall.Credential{NoSetGroups: true},
				}
			},
			want: process.Credentials{
				RealUser: 1234, EffectiveUser: 1234, SavedUser: 1234,
				RealGroup: 5678, EffectiveGroup: 5678, SavedGroup: 5678,
			},
		},
		{
			name: "a pid namespace",
			change: func(_ *testing.T, cmd *exec.Cmd) {
				cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
			},
			want: own,
			vpid: 1,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd := self("idle")
			if tc.change != nil {
				tc.change(t, cmd)
			}
			in := ready(t, cmd)
			all, err := tr.Running()
			if err != nil {
				t.Error(err)
			}
			in.Close()
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			pid := cmd.Process.Pid
			vpid := tc.vpid
			if vpid == 0 {
				vpid = uint32(pid)
			}
			seen := 0
			check := func(where string, got process.Credentials, gotVPID uint32) {
				seen++
				if got != tc.want || gotVPID != vpid {
					t.Errorf("%s: %+v and pid %d, want %+v and pid %d", where, got, gotVPID, tc.want, vpid)
				}
			}
			for _, p := range all {
				if p.ID.PID == uint32(pid) {
					check("running", p.Credentials, p.VPID)
				}
			}
			for _, ev := range of(rest(t, tr), pid) {
				if ev.Kind == process.Exec {
					check("exec", ev.Credentials, ev.VPID)
				}
			}
			if seen != 2 {
				t.Errorf("pid %d was seen %d times, want once running and one exec", pid, seen)
			}
		})
	}
}

// forAll returns a copy of a program where any user may execute it.
func forAll(t *testing.T, program string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "procspan")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "program")
	if err := errors.Join(os.WriteFile(path, content, 0o755), os.Chmod(dir, 0o755), os.Chmod(path, 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}

// setID returns a copy of a program that makes who runs it another user and group.
func setID(t *testing.T, program string, uid, gid int) string {
	t.Helper()
	path := forAll(t, program)
	skipRefused(t, os.Chown(path, uid, gid))
	skipRefused(t, os.Chmod(path, 0o755|os.ModeSetuid|os.ModeSetgid))
	return path
}
