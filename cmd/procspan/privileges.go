package main

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dropPrivileges gives up what the agent needed to start: every capability but
// the one that reading its counters takes, and for ever the gaining of new
// ones. An agent that cannot give up privileges runs with them.
func dropPrivileges(log *slog.Logger) {
	kept, err := keepOneCapability()
	if errors.Is(err, syscall.ENOTSUP) {
		log.Debug("privileges are kept: a binary that is built with cgo cannot drop them in all threads")
		return
	}
	if err != nil {
		log.Warn("privileges are kept", "error", err)
		return
	}
	log.Debug("privileges dropped", "kept", kept)
}

// keepOneCapability leaves CAP_BPF, or CAP_SYS_ADMIN where that stands for it,
// as the only capability of all threads.
func keepOneCapability() (kept string, err error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var has [2]unix.CapUserData
	if err := unix.Capget(&header, &has[0]); err != nil {
		return "", fmt.Errorf("read the capabilities: %w", err)
	}
	effective := uint64(has[0].Effective) | uint64(has[1].Effective)<<32
	capability, name := unix.CAP_BPF, "CAP_BPF"
	if effective&(1<<unix.CAP_BPF) == 0 {
		capability, name = unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN"
	}
	var keep [2]unix.CapUserData
	if effective&(1<<capability) != 0 {
		bit := uint32(1) << (capability % 32)
		keep[capability/32] = unix.CapUserData{Effective: bit, Permitted: bit}
	}
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); errno != 0 {
		return "", fmt.Errorf("set no_new_privs: %w", errno)
	}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET,
		uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&keep[0])), 0)
	runtime.KeepAlive(&header)
	runtime.KeepAlive(&keep)
	if errno != 0 {
		return "", fmt.Errorf("drop capabilities: %w", errno)
	}
	return name, nil
}
