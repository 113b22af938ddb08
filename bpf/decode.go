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

// ErrMalformed says that a record was not as wire.h has it, and was left out.
var ErrMalformed = errors.New("malformed record")

// Decoder turns ring records into events. It is for one goroutine.
type Decoder struct {
	texts    texts
	path     []byte // a path while it is straightened
	pageSize uint64
}

// NewDecoder returns a decoder.
func NewDecoder() *Decoder {
	return &Decoder{texts: newTexts(), pageSize: uint64(os.Getpagesize())}
}

// Decode fills ev from one record. It keeps none of raw.
func (d *Decoder) Decode(raw []byte, ev *process.Event) error {
	header, _, ok := view[procspanWireHeader](raw)
	if !ok {
		return fmt.Errorf("%w: %d bytes are too few for a header", ErrMalformed, len(raw))
	}
	*ev = process.Event{
		At:     header.At,
		ID:     process.ID{PID: header.Pid, Start: header.Start},
		Parent: process.ID{PID: header.ParentPid, Start: header.ParentStart},
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
		ev.Usage = d.usage(&exit.Usage)
		ev.Killer = process.Killer{
			ID:     process.ID{PID: exit.KillerPid, Start: exit.KillerStart},
			ExecID: exit.KillerExecId,
			Comm:   d.comm(exit.KillerComm),
		}
		if header.Flags&uint32(procspanWireFlagWIRE_OOM_KILLED) != 0 {
			ev.OOM = process.OOM{Killed: true, Limit: exit.OomLimit * d.pageSize}
		}
		return nil
	case procspanWireKindWIRE_NAME:
		name, path, ok := view[procspanWireName](raw)
		if !ok {
			return fmt.Errorf("%w: %d bytes are too few for a name", ErrMalformed, len(raw))
		}
		if uint64(name.PathLen) > uint64(len(path)) {
			return fmt.Errorf("%w: the path of a cgroup has %d bytes, but %d are left", ErrMalformed, name.PathLen, len(path))
		}
		ev.Kind, ev.CgroupID, ev.CgroupPath = process.Named, name.Cgroup, string(d.straight(path[:name.PathLen], ""))
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
			return " (deleted)"
		}
		return ""
	}
	im := &ev.Image
	im.Filename = d.texts.of(filename)
	im.Executable = d.texts.of(d.straight(executable, deleted(procspanWireFlagWIRE_EXE_DELETED)))
	im.WorkingDirectory = d.texts.of(d.straight(cwd, deleted(procspanWireFlagWIRE_CWD_DELETED)))
	im.Args, im.ArgsCount, im.ArgsCut = d.texts.of(args), int(exec.Argc), has(procspanWireFlagWIRE_ARGS_CUT)
	im.Environment, im.EnvironmentCut = d.texts.of(environment), has(procspanWireFlagWIRE_ENV_CUT)
	im.PathCut = has(procspanWireFlagWIRE_PATH_CUT)
	ev.Groups = groups(&exec.Groups)
	ev.Credentials = credentials(&exec.Credentials, &exec.Header)
	ev.Namespaces, ev.VPID = namespaces(&exec.Namespaces), exec.Namespaces.Vpid
	ev.FirstExec = has(procspanWireFlagWIRE_FIRST_EXEC)
	return nil
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

func (d *Decoder) usage(u *procspanWireUsage) process.Usage {
	user, system := adjustTime(u.Utime, u.Stime, u.Runtime)
	return process.Usage{
		UserTime: user, SystemTime: system,
		PeakRSS:     u.Maxrss * d.pageSize,
		MinorFaults: u.MinFlt, MajorFaults: u.MajFlt,
		Voluntary: u.Nvcsw, Involuntary: u.Nivcsw,
		ReadBytes: u.ReadBytes, WriteBytes: u.WriteBytes,
		ReadChars: u.Rchar, WriteChars: u.Wchar,
	}
}

// adjustTime divides what the scheduler measured as the ticks were divided: they
// hit user and kernel mode fairly, but a process seldom (cputime_adjust, which is
// behind wait4).
func adjustTime(utime, stime, runtime uint64) (user, system time.Duration) {
	var share float64 // of the system
	if stime > 0 {
		share = float64(stime) / (float64(stime) + float64(utime))
	}
	system = time.Duration(float64(runtime) * share)
	return time.Duration(runtime) - system, system
}

// straight turns a path from the kernel's order, "ls\0bin\0usr\0", into
// "/usr/bin/ls" and appends suffix. What it returns is valid until the next call.
func (d *Decoder) straight(raw []byte, suffix string) []byte {
	p := d.path[:0]
	for end := len(raw); end > 0; {
		// Each component ends in a NUL, the last byte of raw as well, whatever it is.
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

// view returns the T that raw begins with, and what follows it; ok is false
// when raw is too short. T must hold no pointers.
func view[T any](raw []byte) (v *T, rest []byte, ok bool) {
	size := int(unsafe.Sizeof(*v))
	if len(raw) < size {
		return nil, nil, false
	}
	return (*T)(unsafe.Pointer(unsafe.SliceData(raw))), raw[size:], true
}
