package agent

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/bpf"
)

// diskFindings look at the directories that the configuration names. They make and
// lock nothing: an agent may be at work there.
func diskFindings(o Options) (findings []Finding) {
	if d := o.Config.Delivery; d.Directory != "" && exports(o.Config) {
		findings = append(findings, directoryFinding("store", "delivery.directory", d.Directory, d.MaxSize))
	}
	if d := o.Config.Daemon; d.Persist {
		pins := Finding{What: "pins", Found: d.PinDirectory}
		if pins.Err = bpf.CanPin(d.PinDirectory); pins.Err != nil {
			pins.Fatal = true
		}
		findings = append(findings, directoryFinding("state", "daemon.state_directory", d.StateDirectory, 0), pins)
	}
	return findings
}

// directoryFinding says whether a directory can be used, or made, and whether so
// many bytes are free there.
func directoryFinding(what, option, dir string, need int64) Finding {
	f := Finding{What: what}
	at := dir
	err := writable(at)
	for errors.Is(err, unix.ENOENT) && at != filepath.Dir(at) { // the agent makes it
		at = filepath.Dir(at)
		err = writable(at)
	}
	if err != nil {
		f.Err = fmt.Errorf("write to %s: %w; name a directory in %s that procspan may write to", at, err, option)
		f.Fatal = true
		return f
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(at, &disk); err != nil {
		f.Err = fmt.Errorf("ask for the room in %s: %w", at, err)
		return f
	}
	free := int64(disk.Bavail) * disk.Bsize
	if free < need {
		f.Err = fmt.Errorf("%s has %s of room, and delivery.max_size is %s: what finds none is dropped, and counted; "+
			"make room, or lower delivery.max_size", at, mebibytes(free), mebibytes(need))
		return f
	}
	f.Found = fmt.Sprintf("%s, with %s of room", dir, mebibytes(free))
	return f
}

// writable returns why files cannot be made in a directory.
func writable(dir string) error {
	var stat unix.Stat_t
	if err := unix.Stat(dir, &stat); err != nil {
		return err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		return unix.ENOTDIR
	}
	return unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }
