package bpf

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// Error reports something that the kernel refused or lacks, with a hint.
type Error struct {
	Doing string // the failed operation: a bare verb phrase
	Hint  string // what the user can do about it
	Err   error  // the kernel's error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v; %s", e.Doing, e.Err, e.Hint) }

func (e *Error) Unwrap() error { return e.Err }

// explain adds the hint that is known for err.
func explain(doing string, err error) error {
	var verifier *ebpf.VerifierError
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return &Error{doing, "raise the limit of open files (ulimit -n) to 64 or more", err}
	case errors.Is(err, os.ErrNotExist):
		return &Error{doing, "mount /proc and /sys", err}
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES) && !errors.As(err, &verifier):
		// The library's own text suspects RLIMIT_MEMLOCK.
		return &Error{doing, "run procspan as root (sudo), or give it CAP_BPF and CAP_PERFMON " +
			"(before Linux 5.11 also CAP_SYS_RESOURCE); in a container also --pid=host and a seccomp profile that allows bpf(2)", syscall.EPERM}
	case errors.As(err, &verifier):
		return &Error{doing, "this kernel's verifier rejects the BPF programs, which is a bug in procspan: " +
			"please report it with the output of `procspan doctor` and `uname -a`", err}
	case errors.Is(err, ebpf.ErrNotSupported), errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENOSYS):
		return &Error{doing, "procspan needs Linux 5.10 or newer with CONFIG_BPF_SYSCALL and CONFIG_DEBUG_INFO_BTF; " +
			"see `procspan doctor`", err}
	case errors.Is(err, syscall.ENOMEM):
		return &Error{doing, "there is not enough memory for the ring buffer: lower kernel.ring_size, " +
			"or raise the memory limit (on kernels before 5.11: ulimit -l)", err}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// minFiles is the lowest limit of open files that suffices. Below it the library's
// feature probes fail and blame the kernel's age.
const minFiles = 64

func enoughFiles() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur >= minFiles {
		return nil // if the limit is unknown, opening shows whether it suffices
	}
	return explain(fmt.Sprintf("open maps and programs with a limit of %d files", limit.Cur), syscall.EMFILE)
}

// kernelBTF loads the running kernel's type information.
func kernelBTF() (*btf.Spec, error) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, explainBTF(err)
	}
	return spec, nil
}

func explainBTF(err error) error {
	const doing = "read the kernel's BTF"
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, btf.ErrNotFound) || errors.Is(err, ebpf.ErrNotSupported) {
		return &Error{doing, "procspan needs /sys/kernel/btf/vmlinux: " +
			"a kernel built with CONFIG_DEBUG_INFO_BTF=y (Debian 11, Ubuntu 22.04, Fedora 34, RHEL 9 or newer), and /sys mounted", err}
	}
	return explain(doing, err)
}

// features are those that not every kernel has.
type features struct {
	// groupDead: the tracepoint sched_process_exit passes whether the exiting thread
	// is the last of its process (since 6.16).
	groupDead bool
	// oomLock: a memory cgroup is marked while its OOM killer runs. Since 6.11 only
	// with CONFIG_MEMCG_V1.
	oomLock bool
	// rdonlyCast: the kernel function bpf_rdonly_cast exists (since 6.2).
	rdonlyCast bool
}

func probe() (f features, err error) {
	spec, err := kernelBTF()
	if err != nil {
		return f, err
	}
	f.groupDead, err = exitPassesGroupDead(spec)
	f.oomLock = hasMember(spec, "mem_cgroup", "oom_lock")
	f.rdonlyCast = spec.TypeByName("bpf_rdonly_cast", new(*btf.Func)) == nil
	return f, err
}

// exitPassesGroupDead reports whether the arguments of the tracepoint
// sched_process_exit are (void *, struct task_struct *, bool group_dead) rather than
// (void *, struct task_struct *).
func exitPassesGroupDead(spec *btf.Spec) (bool, error) {
	const name = "btf_trace_sched_process_exit"
	var typedef *btf.Typedef
	if err := spec.TypeByName(name, &typedef); err != nil {
		return false, explain("look up "+name+" in the kernel's BTF", err)
	}
	if pointer, ok := btf.UnderlyingType(typedef.Type).(*btf.Pointer); ok {
		if proto, ok := pointer.Target.(*btf.FuncProto); ok {
			return len(proto.Params) > 2, nil
		}
	}
	return false, fmt.Errorf("look up %s in the kernel's BTF: it is a %v, not a pointer to a function", name, typedef.Type)
}

func hasMember(spec *btf.Spec, name, member string) bool {
	var s *btf.Struct
	if err := spec.TypeByName(name, &s); err != nil {
		return false
	}
	return slices.ContainsFunc(s.Members, func(m btf.Member) bool { return m.Name == member })
}
