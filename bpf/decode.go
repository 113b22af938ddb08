package bpf

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"github.com/procspan/procspan/process"
)

// ErrMalformed reports a record that is not encoded as in wire.bpf.h.
var ErrMalformed = errors.New("malformed record")

// Decoder turns ring records into events. It is not safe for concurrent use.
type Decoder struct {
	texts    texts
	path     []byte // reused by straight
	pageSize uint64
}

// NewDecoder returns a decoder.
func NewDecoder() *Decoder {
	return &Decoder{texts: newTexts(), pageSize: uint64(os.Getpagesize())}
}

// Decode fills ev from one record. It does not retain raw.
func (d *Decoder) Decode(raw []byte, ev *process.Event) error {
	header, _, ok := view[procspanWireHeader](raw)
	if !ok {
		return fmt.Errorf("%w: %d bytes are too few for a header", ErrMalformed, len(raw))
	}
	*ev = process.Event{
		At:     process.Time(header.At),
		ID:     id(header.Pid, header.Start),
		Parent: id(header.ParentPid, header.ParentStart),
		Comm:   d.comm(header.Comm),
		ExecID: header.ExecId,
	}
	switch procspanWireKind(header.Kind) {
	case procspanWireKindWIRE_FORK:
		fork, _, ok := view[procspanWireFork](raw)
		if !ok {
			return fmt.Errorf("%w: %d bytes are too few for a fork", ErrMalformed, len(raw))
		}
		ev.Kind = process.Fork
		ev.Groups = groups(&fork.Groups)
		return nil
	case procspanWireKindWIRE_EXEC:
		ev.Kind = process.Exec
		return d.exec(raw, ev)
	case procspanWireKindWIRE_EXIT:
		exit, _, ok := view[procspanWireExit](raw)
		if !ok {
			return fmt.Errorf("%w: %d bytes are too few for an exit", ErrMalformed, len(raw))
		}
		ev.Kind = process.Exit
		ev.Execed = header.Flags&uint32(procspanWireFlagWIRE_EXECED) != 0
		ev.Status = process.Status(exit.Status)
		ev.Usage = d.usage(&exit.Usage, header.Flags)
		ev.Usage.ImagePeakRSS = exit.ImageRss * d.pageSize
		ev.ParentWaiting = parentWaiting(header.Flags)
		ev.Killer = process.Killer{
			ID:     id(exit.KillerPid, exit.KillerStart),
			ExecID: exit.KillerExecId,
			Comm:   d.comm(exit.KillerComm),
		}
		if header.Flags&uint32(procspanWireFlagWIRE_OOM_KILLED) != 0 {
			ev.OOM = process.OOM{Killed: true, Limit: exit.OomLimit * d.pageSize}
		}
		if ev.Execed {
			return nil
		}
		forked, _, ok := view[procspanWireForkExit](raw)
		if !ok {
			return fmt.Errorf("%w: %d bytes are too few for an exit without exec", ErrMalformed, len(raw))
		}
		ev.Groups = groups(&forked.Groups)
		ev.Credentials = credentials(&forked.Credentials, header)
		ev.Namespaces, ev.VPID = namespaces(&forked.Namespaces), forked.Namespaces.Vpid
		return nil
	case procspanWireKindWIRE_CGROUP:
		cgroup, path, ok := view[procspanWireCgroup](raw)
		if !ok {
			return fmt.Errorf("%w: %d bytes are too few for a cgroup", ErrMalformed, len(raw))
		}
		if uint64(cgroup.PathLen) > uint64(len(path)) {
			return fmt.Errorf("%w: the path of a cgroup has %d bytes, but %d are left", ErrMalformed, cgroup.PathLen, len(path))
		}
		ev.Kind, ev.CgroupID, ev.CgroupPath = process.CgroupPath, cgroup.Id, string(d.straight(path[:cgroup.PathLen], ""))
		if ev.CgroupPath == "" {
			ev.CgroupPath = "/"
		}
		return nil
	}
	return fmt.Errorf("%w: unknown kind %d", ErrMalformed, header.Kind)
}

func (d *Decoder) exec(raw []byte, ev *process.Event) error {
	exec, data, ok := view[procspanWireExec](raw)
	if !ok {
		return fmt.Errorf("%w: %d bytes are too few for an exec", ErrMalformed, len(raw))
	}
	has := func(flag procspanWireFlag) bool { return exec.Header.Flags&uint32(flag) != 0 }
	var parts [5][]byte
	for i, n := range [5]uint32{exec.FilenameLen, exec.ExecutableLen, exec.CwdLen, exec.ArgsLen, exec.EnvLen} {
		if uint64(n) > uint64(len(data)) {
			return fmt.Errorf("%w: part %d of an exec has %d bytes, but %d are left", ErrMalformed, i, n, len(data))
		}
		parts[i], data = data[:n], data[n:]
	}
	filename, executable, cwd, args, environment := parts[0], parts[1], parts[2], parts[3], parts[4]
	if n := len(filename); n > 0 && filename[n-1] == 0 {
		filename = filename[:n-1]
	}
	deleted := func(flag procspanWireFlag) string {
		if has(flag) {
			return process.DeletedMark
		}
		return ""
	}
	im := &ev.Image
	im.Filename = d.texts.of(filename)
	im.Executable = d.texts.of(d.straight(executable, deleted(procspanWireFlagWIRE_EXE_DELETED)))
	im.WorkingDirectory = d.texts.of(d.straight(cwd, deleted(procspanWireFlagWIRE_CWD_DELETED)))
	im.Args, im.ArgsCount, im.ArgsCut = d.texts.of(args), int(exec.Argc), has(procspanWireFlagWIRE_ARGS_CUT)
	im.Environment, im.EnvironmentCut = d.texts.of(environment), has(procspanWireFlagWIRE_ENV_CUT)
	im.PathCut, im.Deleted = has(procspanWireFlagWIRE_PATH_CUT), has(procspanWireFlagWIRE_EXE_DELETED)
	ev.Groups = groups(&exec.Groups)
	ev.Credentials = credentials(&exec.Credentials, &exec.Header)
	ev.Namespaces, ev.VPID = namespaces(&exec.Namespaces), exec.Namespaces.Vpid
	ev.FirstExec, ev.Marked = has(procspanWireFlagWIRE_FIRST_EXEC), has(procspanWireFlagWIRE_MARKED)
	ev.Usage = d.usage(&exec.Usage, exec.Header.Flags)
	return nil
}

func id(pid uint32, start uint64) process.ID {
	return process.ID{PID: pid, Start: process.Time(start)}
}

func groups(g *procspanWireGroups) process.Groups {
	return process.Groups{
		Session:  g.Session,
		Group:    g.Group,
		Terminal: g.Terminal,
		Cgroup:   process.Cgroup{V2: g.CgroupV2, V1: g.CgroupV1},
	}
}

func credentials(c *procspanWireCredentials, h *procspanWireHeader) process.Credentials {
	return process.Credentials{
		RealUser: c.RealUser, EffectiveUser: c.EffectiveUser, SavedUser: c.SavedUser,
		RealGroup: c.RealGroup, EffectiveGroup: c.EffectiveGroup, SavedGroup: c.SavedGroup,
		OtherRoot: h.Flags&uint32(procspanWireFlagWIRE_OTHER_ROOT) != 0,
	}
}

func namespaces(n *procspanWireNamespaces) process.Namespaces {
	return process.Namespaces{
		Cgroup: n.Cgroup, IPC: n.Ipc, Mount: n.Mnt, Network: n.Net,
		PID: n.Pid, Time: n.Time, User: n.User, UTS: n.Uts,
	}
}

func parentWaiting(flags uint32) process.Answer {
	switch {
	case flags&uint32(procspanWireFlagWIRE_PARENT_KNOWN) == 0:
		return process.Unknown
	case flags&uint32(procspanWireFlagWIRE_PARENT_WAITING) == 0:
		return process.No
	}
	return process.Yes
}

func (d *Decoder) usage(u *procspanWireUsage, flags uint32) process.Usage {
	user, system := adjustTime(u.Utime, u.Stime, u.Runtime)
	return process.Usage{
		UserTime: user, SystemTime: system,
		PeakRSS:     u.Maxrss * d.pageSize,
		MinorFaults: u.MinFlt, MajorFaults: u.MajFlt,
		Voluntary: u.Nvcsw, Involuntary: u.Nivcsw,
		ReadBytes: u.ReadBytes, WriteBytes: u.WriteBytes,
		ReadChars: u.Rchar, WriteChars: u.Wchar,
		RunDelay: time.Duration(u.RunDelay), RunDelayKnown: flags&uint32(procspanWireFlagWIRE_RUN_DELAY) != 0,
	}
}

// adjustTime splits the time that the scheduler measured in the ratio of the ticks,
// as wait4 does it (cputime_adjust): ticks are too coarse to measure a short process,
// but hit user and kernel mode in the right proportion.
func adjustTime(utime, stime, runtime uint64) (user, system time.Duration) {
	var share float64 // of system time
	if stime > 0 {
		share = float64(stime) / (float64(stime) + float64(utime))
	}
	system = time.Duration(float64(runtime) * share)
	return time.Duration(runtime) - system, system
}

// straight turns a path from the kernel's order, "ls\0bin\0usr\0", into
// "/usr/bin/ls" and appends suffix. The result is valid until the next call.
func (d *Decoder) straight(raw []byte, suffix string) []byte {
	p := d.path[:0]
	for end := len(raw); end > 0; {
		// Each component ends in a NUL; the last byte of raw counts as one, whatever it is.
		begin := bytes.LastIndexByte(raw[:end-1], 0) + 1
		p = append(p, '/')
		p = append(p, raw[begin:end-1]...)
		end = begin
	}
	p = append(p, suffix...)
	d.path = p
	return p
}

func (d *Decoder) comm(raw [16]int8) string {
	b := unsafe.Slice((*byte)(unsafe.Pointer(&raw[0])), len(raw))
	if end := bytes.IndexByte(b, 0); end >= 0 {
		b = b[:end]
	}
	return d.texts.of(b)
}

// view returns the T at the beginning of raw, and the rest; ok is false if raw is
// too short. T must not contain pointers.
func view[T any](raw []byte) (v *T, rest []byte, ok bool) {
	size := int(unsafe.Sizeof(*v))
	if len(raw) < size {
		return nil, nil, false
	}
	return (*T)(unsafe.Pointer(unsafe.SliceData(raw))), raw[size:], true
}
