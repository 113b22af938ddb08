package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// programs remembers the BPF programs that a process holds: those its open
// files tell of.
func programs(ts *testscript.TestScript, neg bool, args []string) {
	p := programOf(ts, neg, args, "programs NAME", 1, 1)
	files, err := filepath.Glob("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/fdinfo/*")
	ts.Check(err)
	known := make(map[uint32]bool)
	for _, file := range files {
		info, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue // closed meanwhile
		}
		ts.Check(err)
		for line := range strings.Lines(string(info)) {
			if text, ok := strings.CutPrefix(line, "prog_id:"); ok {
				known[uint32(number(ts, strings.TrimSpace(text)))] = true
			}
		}
	}
	for id := range known {
		p.kernel = append(p.kernel, id)
	}
	if len(p.kernel) < 3 {
		ts.Fatalf("it holds the BPF programs %v; at least three were expected: fork, exec, exit", p.kernel)
	}
}

// unloaded waits until the kernel has freed these programs, which it does a
// moment after their last user.
func unloaded(ts *testscript.TestScript, neg bool, args []string) {
	p := programOf(ts, neg, args, "unloaded NAME", 1, 1)
	if len(p.kernel) == 0 {
		ts.Fatalf("say programs %s before", args[0])
	}
	giveUp := time.Now().Add(patience)
	for _, id := range p.kernel {
		for loaded(ts, id) {
			if time.Now().After(giveUp) {
				ts.Fatalf("kernel program %d is still loaded", id)
			}
			time.Sleep(10 * time.Millisecond) // the kernel tells nobody
		}
	}
}

func loaded(ts *testscript.TestScript, id uint32) bool {
	program, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
	if errors.Is(err, os.ErrNotExist) {
		return false
	}
	ts.Check(err)
	ts.Check(program.Close())
	return true
}

// mountBPF mounts a BPF file system on a new directory, for as long as the story
// lasts, and has whatever is pinned there end with it.
func mountBPF(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: bpffs DIR")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.Mkdir(dir, 0o755))
	ts.Check(unix.Mount("bpf", dir, "bpf", 0, ""))
	ts.Defer(func() { ts.Check(unix.Unmount(dir, unix.MNT_DETACH)) })
}
