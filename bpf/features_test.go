package bpf

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
)

func TestExplain(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want []string
	}{
		{"not permitted", fmt.Errorf("program on_exec: load program: %w (MEMLOCK may be too low)", syscall.EPERM),
			[]string{"try: operation not permitted; ", "as root (sudo)", "CAP_BPF and CAP_PERFMON", "--pid=host"}},
		{"refused by a security module", fmt.Errorf("create map: %w", syscall.EACCES), []string{"as root (sudo)"}},
		{"refused by the verifier", fmt.Errorf("load program: %w", errors.Join(syscall.EACCES, &ebpf.VerifierError{Cause: syscall.EACCES})),
			[]string{"a bug in procspan", "procspan doctor"}},
		{"old kernel", fmt.Errorf("map create: %w", ebpf.ErrNotSupported), []string{"Linux 5.10 or newer", "CONFIG_DEBUG_INFO_BTF"}},
		{"invalid argument", syscall.EINVAL, []string{"Linux 5.10 or newer"}},
		{"too few files", fmt.Errorf("map create: %w", syscall.EMFILE), []string{"ulimit -n"}},
		{"no /proc", fmt.Errorf("open /proc/self/mountinfo: %w", os.ErrNotExist), []string{"mount /proc and /sys"}},
		{"no bpf(2)", syscall.ENOSYS, []string{"CONFIG_BPF_SYSCALL"}},
		{"no memory", fmt.Errorf("map create: %w", syscall.ENOMEM), []string{"kernel.ring_size", "ulimit -l"}},
		{"anything else", syscall.EIO, []string{"try: input/output error"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := explain("try", tc.err)
			for _, want := range tc.want {
				if !strings.Contains(got.Error(), want) {
					t.Errorf("%q does not say %q", got, want)
				}
			}
			if strings.Contains(got.Error(), "MEMLOCK") {
				t.Errorf("%q speaks of a limit that has nothing to do with it", got)
			}
		})
	}
}

func TestExplainMissingBTF(t *testing.T) {
	for _, err := range []error{os.ErrNotExist, ebpf.ErrNotSupported} {
		got := explainBTF(fmt.Errorf("open: %w", err))
		var typed *Error
		if !errors.As(got, &typed) || !errors.Is(got, err) || !strings.Contains(typed.Hint, "CONFIG_DEBUG_INFO_BTF=y") {
			t.Errorf("%v: got %q, want an Error that names the kernel option", err, got)
		}
	}
}
