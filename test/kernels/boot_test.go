package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A guest that panics before its init runs, or whose CPU is stuck, is booted once more.
func TestBoot(t *testing.T) {
	const stuck = "GUEST RUNS bpf\n[ 9.1] RIP: 0010:x\n[ 9.1] Kernel panic - not syncing: softlockup: hung tasks\n"
	const panics = "[ 0.1] Kernel panic - not syncing: IO-APIC + timer doesn't work!\n"
	good := console("--- PASS: TestA (0s)", "")
	for _, tc := range []struct {
		name  string
		boots []string // the console of each
		code  int      // of the emulator
		want  int      // boots
		panic bool
		said  string
		err   string
	}{
		{name: "good", boots: []string{good}, want: 1},
		{name: "panics once", boots: []string{panics, good}, want: 2, said: "booting it once more"},
		{name: "panics always", boots: []string{panics, panics, good}, want: 2, panic: true, said: "(IO-APIC + timer doesn't work!)"},
		{name: "panics in a test", boots: []string{"GUEST RUNS bpf\n" + panics, good}, want: 1, panic: true},
		{name: "is stuck once", boots: []string{stuck, good}, want: 2, said: "RIP: 0010:x"},
		{name: "is stuck, and RCU with it", boots: []string{"[ 7.1] rcu: INFO: rcu_preempt self-detected stall on CPU\n" + stuck, good}, want: 1, panic: true},
		{name: "is stuck after a failure", boots: []string{"GUEST RUNS bpf\n--- FAIL: TestA (0.10s)\n" + stuck, good}, want: 1, panic: true},
		{name: "is stuck after a suite failed", boots: []string{"GUEST RUNS bpf\nGUEST RAN bpf: exit code 1\n" + stuck, good}, want: 1, panic: true},
		{name: "is stuck always", boots: []string{stuck, stuck, good}, want: 2, panic: true, said: "stuck for two minutes"},
		{name: "the emulator fails", boots: []string{good}, code: 3, want: 1, err: "exit status 3"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			for i, text := range tc.boots {
				write(t, filepath.Join(dir, fmt.Sprint(i)), text)
			}
			emulator := filepath.Join(dir, "qemu")
			script := fmt.Sprintf("#!/bin/sh\ncd %s\necho >>boots\ncat $(($(wc -l <boots) - 1))\nexit %d\n", dir, tc.code)
			write(t, emulator, script)
			if err := os.Chmod(emulator, 0o755); err != nil {
				t.Fatal(err)
			}
			var said strings.Builder
			g := guest{kernel: kernel{arch: &arch{qemu: emulator}}, say: func(format string, args ...any) { fmt.Fprintf(&said, format+"\n", args...) }}
			r := g.boot(t.Context(), options{cpus: 2, count: 1})
			boots, err := os.ReadFile(filepath.Join(dir, "boots"))
			if err != nil {
				t.Fatal(err)
			}
			if len(boots) != tc.want || (r.panic != "") != tc.panic || !strings.Contains(said.String(), tc.said) {
				t.Errorf("%d boots, panic %q, said %q; want %d, %t, %q", len(boots), r.panic, said.String(), tc.want, tc.panic, tc.said)
			}
			if (r.failure == nil) != (tc.err == "") || tc.err != "" && !strings.Contains(r.failure.Error(), tc.err) {
				t.Errorf("failure %v, want %q", r.failure, tc.err)
			}
		})
	}
}

// What goes through the kernel's command line.
func TestArgs(t *testing.T) {
	k := kernels()[0]
	got := strings.Join(guest{kernel: k, vmlinuz: "V", initramfs: "I"}.args(options{cpus: 2, run: "TestTruth/last_threads", count: 10}), " ")
	for _, want := range []string{
		"-kernel V -initrd I -append console=ttyS0 ", " -cpu max,-cx16",
		" -- v1 /bpf.test -test.v -test.timeout=40m -test.count=10 -test.run=TestTruth/last_threads -emulated --then " +
			"/scenario.test -test.v -test.timeout=40m -test.count=10 -test.run=TestTruth/last_threads -lives=2000 -emulated",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("arguments %q, want %q in them", got, want)
		}
	}
	if n := len(k.arch.boot) + len(got); n > 2000 {
		t.Errorf("%d bytes; x86 cuts its command line at 2048", n)
	}
}
