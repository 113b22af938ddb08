package main

import (
	"errors"
	"fmt"
	"log/slog"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/internal/capability"
)

// dropPrivileges drops every capability but the one for reading the BPF counters,
// and sets no_new_privs. An agent that cannot drop them runs with them.
func dropPrivileges(log *slog.Logger) {
	kept, err := keepOneCapability()
	if errors.Is(err, syscall.ENOTSUP) {
		log.Debug("keeping privileges: a cgo binary cannot drop them in all threads")
		return
	}
	if err != nil {
		log.Warn("cannot drop privileges", "error", err)
		return
	}
	log.Debug("dropped privileges", "kept", kept)
}

// keepOneCapability leaves all threads only CAP_BPF, or CAP_SYS_ADMIN if they do
// not have that.
func keepOneCapability() (kept string, err error) {
	has, err := capability.Get()
	if err != nil {
		return "", err
	}
	one, name := capability.Set(1)<<unix.CAP_BPF, "CAP_BPF"
	if has.Effective&one == 0 {
		one, name = 1<<unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN"
	}
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); errno != 0 {
		return "", fmt.Errorf("set no_new_privs: %w", errno)
	}
	one &= has.Effective
	return name, capability.SetAll(capability.Sets{Effective: one, Permitted: one})
}
