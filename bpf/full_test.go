package bpf

import (
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
)

// fullMap opens a tracer in which one map has no room: every update of it fails.
func fullMap(t *testing.T, name string, groupDead bool) *Tracer {
	t.Helper()
	features, err := probe()
	skipUnsupported(t, err)
	features.groupDead = features.groupDead && groupDead
	defer raiseMemlock()()
	o := Options{RingSize: 4 << 20, ArgsMaxBytes: 4096, OnlyDescendants: true}
	spec, err := prepare(o, features)
	must(t, err)
	m := spec.Maps[name]
	m.Type, m.MaxEntries = ebpf.Hash, 1
	m.Contents = []ebpf.MapKV{{Key: make([]byte, m.KeySize), Value: make([]byte, m.ValueSize)}}
	tr, err := loadSpec(spec, o, features)
	skipUnsupported(t, err)
	t.Cleanup(func() { must(t, tr.Close()) })
	return tr
}

// A map without room costs no exit: it is reported, and the failure is counted.
func TestFullMapOfEnded(t *testing.T) {
	tr := fullMap(t, procspanMapEnded, false)
	const processes, atOnce = 100, 4
	pids := make(chan uint32, processes)
	for range atOnce {
		go func() {
			for range processes / atOnce {
				cmd := self("race to exit")
				_ = cmd.Run() // exits with 5
				pids <- uint32(cmd.ProcessState.Pid())
			}
		}()
	}
	ended := map[uint32]int{}
	for range processes {
		ended[<-pids] = 0
	}
	must(t, tr.Detach())
	for _, ev := range rest(t, tr) {
		if _, ok := ended[ev.ID.PID]; ok && ev.Kind == process.Exit {
			ended[ev.ID.PID]++
		}
	}
	exits := 0
	for pid, n := range ended {
		if n == 0 {
			t.Errorf("the exit of pid %d is missing", pid)
		}
		exits += n
	}
	if n := lost(t, tr, "exit: no room to tell threads apart, may be missing or reported twice"); n == 0 || exits-processes > int(n) {
		t.Errorf("%d exits too many, %d failures; want failures, and as many or fewer exits", exits-processes, n)
	}
}

func TestFullMapOfSignals(t *testing.T) {
	tr := fullMap(t, procspanMapSignals, true)
	cmd := self("survive")
	in := ready(t, cmd)
	signal(t, cmd, unix.SIGKILL)
	in.Close()
	_ = cmd.Wait()
	got := exitOf(t, tr, cmd.Process.Pid)
	if n := lost(t, tr, "signal: no room for its sender"); got.Killer != (process.Killer{}) || n == 0 {
		t.Errorf("killer %+v, %d senders lost; want none and 1 or more", got.Killer, n)
	}
}

func TestFullMapOfThreadUsage(t *testing.T) {
	tr := fullMap(t, procspanMapExitedThreads, true)
	if err := self("burn in threads").Run(); err != nil {
		t.Fatal(err)
	}
	must(t, tr.Detach())
	if n := lost(t, tr, "usage: that of some threads is missing"); n == 0 {
		t.Error("no loss was counted")
	}
}
