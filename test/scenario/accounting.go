package scenario

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Records of BSD process accounting, struct acct_v3 of linux/acct.h.
const (
	acctSize      = 64
	acctVersion   = 3
	acctFork      = 0x01 // forked and did not exec
	acctBigEndian = 0x80
)

// accounting is a Witness by acct(2): the kernel writes a record when the last
// thread of a process ends, before it tells the parent.
type accounting struct{ file string }

// NewAccounting turns BSD process accounting on, into a new file in dir. The
// machine can have it on once; whoever else had it on loses it.
func NewAccounting(dir string) (Witness, error) {
	file, err := os.CreateTemp(dir, "acct-")
	if err != nil {
		return nil, fmt.Errorf("start accounting: %w", err)
	}
	file.Close()
	if err := unix.Acct(file.Name()); err != nil {
		return nil, fmt.Errorf("start accounting: %w", errors.Join(err, os.Remove(file.Name())))
	}
	return &accounting{file: file.Name()}, nil
}

func (a *accounting) Deaths() ([]Death, error) {
	data, err := os.ReadFile(a.file)
	if err != nil {
		return nil, fmt.Errorf("read accounting: %w", err)
	}
	var deaths []Death
	for ; len(data) >= acctSize; data = data[acctSize:] {
		flags, version := data[0], data[1]
		var order binary.ByteOrder = binary.LittleEndian
		if version&acctBigEndian != 0 {
			order = binary.BigEndian
		}
		if version&^acctBigEndian != acctVersion {
			return nil, fmt.Errorf("read accounting: record version %d, want %d (CONFIG_BSD_PROCESS_ACCT_V3): %w",
				version, acctVersion, errors.ErrUnsupported)
		}
		deaths = append(deaths, Death{
			PID: int(order.Uint32(data[16:])), ParentPID: int(order.Uint32(data[20:])),
			Status: unix.WaitStatus(order.Uint32(data[4:])), Execed: flags&acctFork == 0,
		})
	}
	return deaths, nil
}

func (a *accounting) Close() error {
	// acct(NULL), which x/sys cannot say.
	if _, _, errno := unix.Syscall(unix.SYS_ACCT, 0, 0, 0); errno != 0 {
		return fmt.Errorf("stop accounting: %w", errno)
	}
	return os.Remove(a.file)
}
