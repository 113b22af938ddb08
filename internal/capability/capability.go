// Package capability limits the Linux capabilities of this process.
//
// A thread has its own sets. What is permitted can be made effective, and the kernel
// looks at what is effective.
package capability

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Set is a set of capabilities: bit n is capability n.
type Set uint64

// OfProc lets a process read the files of others in /proc. With file capabilities it
// would also open whatever the caller names.
const OfProc Set = 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_SYS_PTRACE

// Sets are the sets of a thread.
type Sets struct{ Effective, Permitted, Inheritable Set }

// Get returns the sets of this thread.
func Get() (s Sets, err error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return s, fmt.Errorf("read capabilities: %w", err)
	}
	return Sets{
		Effective:   join(data[0].Effective, data[1].Effective),
		Permitted:   join(data[0].Permitted, data[1].Permitted),
		Inheritable: join(data[0].Inheritable, data[1].Inheritable),
	}, nil
}

// SetAll sets the sets of all threads. The error is syscall.ENOTSUP in a binary that
// is built with cgo.
func SetAll(s Sets) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := s.data()
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET,
		uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	runtime.KeepAlive(&header)
	runtime.KeepAlive(&data)
	if errno != 0 {
		return fmt.Errorf("set capabilities: %w", errno)
	}
	return nil
}

// Lower makes OfProc ineffective in all threads, unless it is ambient: whoever starts
// a service with it grants it that. Root keeps it as well.
func Lower() error {
	s, err := Get()
	if err != nil || unix.Geteuid() == 0 || s.Effective&OfProc == 0 {
		return err
	}
	for n := range uintptr(64) {
		ambient, _, _ := syscall.Syscall6(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_IS_SET, n, 0, 0, 0)
		if bit := Set(1) << n; OfProc&bit != 0 && ambient != 1 {
			s.Effective &^= bit
		}
	}
	return SetAll(s)
}

// GiveUp takes OfProc from all threads, for good, unless this is root.
func GiveUp() error {
	s, err := Get()
	if err != nil || unix.Geteuid() == 0 || s.Permitted&OfProc == 0 {
		return err
	}
	return SetAll(Sets{s.Effective &^ OfProc, s.Permitted &^ OfProc, s.Inheritable &^ OfProc})
}

// Raise makes what is permitted of OfProc effective in this thread, to which the
// caller is locked. It ends with the thread.
func Raise() error {
	s, err := Get()
	if err != nil || s.Permitted&OfProc&^s.Effective == 0 {
		return err
	}
	s.Effective |= s.Permitted & OfProc
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := s.data()
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("raise capabilities: %w", err)
	}
	return nil
}

// Drop gives up the capabilities that a user who is not root has, for good.
func Drop() error {
	if unix.Geteuid() == 0 {
		return nil
	}
	s, err := Get()
	if err != nil || s == (Sets{}) {
		return err
	}
	return SetAll(Sets{})
}

func join(low, high uint32) Set { return Set(high)<<32 | Set(low) }

func (s Sets) data() [2]unix.CapUserData {
	half := func(n int) unix.CapUserData {
		return unix.CapUserData{
			Effective: uint32(s.Effective >> n), Permitted: uint32(s.Permitted >> n), Inheritable: uint32(s.Inheritable >> n),
		}
	}
	return [2]unix.CapUserData{half(0), half(32)}
}
