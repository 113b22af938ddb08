package bpf

import (
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

func TestProgramStats(t *testing.T) {
	tr := tracer(t, Options{})
	enabled, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME)) // until it is closed
	if err != nil {
		t.Fatal(err)
	}
	defer enabled.Close()
	if err := self("exit 0").Run(); err != nil {
		t.Fatal(err)
	}
	stats, err := tr.ProgramStats()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"on_fork", "on_exec", "on_exit"} {
		i := slices.IndexFunc(stats, func(s ProgramStats) bool { return s.Name == name })
		if i < 0 || stats[i].Runs == 0 || stats[i].Time <= 0 || stats[i].Time > time.Minute {
			t.Errorf("nothing sensible of %s in %+v", name, stats)
		}
	}
}

func TestUnread(t *testing.T) {
	tr := tracer(t, Options{RingSize: 1 << 20})
	if err := self("exit 0").Run(); err != nil {
		t.Fatal(err)
	}
	unread, size := tr.Unread()
	if unread == 0 || unread > size || size != 1<<20 {
		t.Errorf("%d bytes of %d are unread; want some, of 1 MiB", unread, size)
	}
}
