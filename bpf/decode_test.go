package bpf

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf/btf"

	"github.com/procspan/procspan/process"
)

// record lays out a record as the BPF programs do.
func record(kind, flags uint32, comm string, tail ...byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, kind)
	b = binary.NativeEndian.AppendUint32(b, flags)
	for _, v := range []uint64{1000, 900, 800, 7} { // at, start, parent_start, exec_id
		b = binary.NativeEndian.AppendUint64(b, v)
	}
	b = binary.NativeEndian.AppendUint32(b, 42)
	b = binary.NativeEndian.AppendUint32(b, 41)
	var name [16]byte
	copy(name[:], comm)
	return append(append(b, name[:]...), tail...)
}

// someGroups stands in the records of the tests.
var someGroups = process.Groups{Session: 40, Group: 41, Terminal: 34817, Cgroup: process.Cgroup{V2: 5 << 32, V1: 6}}

func groupsPart() (b []byte) {
	for _, v := range []uint32{someGroups.Session, someGroups.Group, someGroups.Terminal, 0} {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	b = binary.NativeEndian.AppendUint64(b, someGroups.Cgroup.V2)
	return binary.NativeEndian.AppendUint64(b, someGroups.Cgroup.V1)
}

// someCredentials, someNamespaces and a VPID of 9 stand in the execs.
var someCredentials = process.Credentials{
	RealUser: 1, EffectiveUser: 2, SavedUser: 3,
	RealGroup: 4, EffectiveGroup: 5, SavedGroup: 6,
}

func credentialsPart() (b []byte) {
	for v := uint32(1); v <= 6; v++ {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return b
}

var someNamespaces = process.Namespaces{Cgroup: 1, IPC: 2, Mount: 3, Network: 4, PID: 5, Time: 6, User: 7, UTS: 8}

func namespacesPart() (b []byte) {
	for v := uint32(1); v <= 9; v++ {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return binary.NativeEndian.AppendUint32(b, 0)
}

// someUsage stands in the exits.
var someUsage = process.Usage{
	UserTime: 2, SystemTime: 6, PeakRSS: 3 * uint64(os.Getpagesize()),
	MinorFaults: 4, MajorFaults: 5, Voluntary: 6, Involuntary: 7,
	ReadBytes: 8, WriteBytes: 9, ReadChars: 10, WriteChars: 11, RunDelay: 12,
}

func usagePart() (b []byte) {
	for _, v := range []uint64{1, 3, 8, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12} {
		b = binary.NativeEndian.AppendUint64(b, v)
	}
	return b
}

// someKiller stands in the exits by signal.
var someKiller = process.Killer{ID: process.ID{PID: 50, Start: 700}, ExecID: 12, Comm: "kill"}

func exitRecord(flags, status uint32, killer process.Killer, oomLimit uint64) []byte {
	tail := usagePart()
	tail = binary.NativeEndian.AppendUint32(tail, status)
	tail = binary.NativeEndian.AppendUint32(tail, killer.ID.PID)
	tail = binary.NativeEndian.AppendUint64(tail, uint64(killer.ID.Start))
	tail = binary.NativeEndian.AppendUint64(tail, killer.ExecID)
	var comm [16]byte
	copy(comm[:], killer.Comm)
	tail = append(tail, comm[:]...)
	tail = binary.NativeEndian.AppendUint64(tail, oomLimit)
	tail = binary.NativeEndian.AppendUint64(tail, 2) // image_rss
	if flags&1 == 0 {
		tail = slices.Concat(tail, groupsPart(), credentialsPart(), namespacesPart())
	}
	return record(3, flags, "sh", tail...)
}

func cgroupRecord(cgroup uint64, path string, tail ...byte) []byte {
	b := binary.NativeEndian.AppendUint64(nil, cgroup)
	b = binary.NativeEndian.AppendUint32(b, uint32(len(path)))
	b = append(append(b, 0, 0, 0, 0), path...)
	return record(4, 0, "", append(b, tail...)...)
}

func forkRecord(comm string) []byte { return record(1, 0, comm, groupsPart()...) }

func execRecord(flags, argc uint32, filename, executable, cwd, args, environment string) []byte {
	tail := slices.Concat(groupsPart(), credentialsPart(), namespacesPart(), usagePart())
	for _, v := range []uint32{argc, uint32(len(filename)), uint32(len(executable)), uint32(len(cwd)), uint32(len(args)), uint32(len(environment))} {
		tail = binary.NativeEndian.AppendUint32(tail, v)
	}
	return record(2, flags, "sh", append(tail, filename+executable+cwd+args+environment...)...)
}

func TestDecode(t *testing.T) {
	base := process.Event{
		At:     1000,
		ID:     process.ID{PID: 42, Start: 900},
		Parent: process.ID{PID: 41, Start: 800},
		Comm:   "sh",
		ExecID: 7,
	}
	with := func(change func(*process.Event)) process.Event {
		ev := base
		change(&ev)
		if ev.Kind == process.Exec || ev.Kind == process.Exit {
			known := ev.Usage.RunDelayKnown
			ev.Usage = someUsage
			ev.Usage.RunDelayKnown = known
		}
		if ev.Kind == process.Exit {
			ev.Usage.ImagePeakRSS = 2 * uint64(os.Getpagesize())
		}
		if ev.Kind == process.Exec || ev.Kind == process.Exit && !ev.Execed {
			other := ev.Credentials.OtherRoot
			ev.Groups, ev.Credentials, ev.Namespaces, ev.VPID = someGroups, someCredentials, someNamespaces, 9
			ev.Credentials.OtherRoot = other
		}
		return ev
	}
	for _, tc := range []struct {
		name string
		raw  []byte
		want process.Event
	}{
		{"fork", forkRecord("sh"), with(func(ev *process.Event) { ev.Kind, ev.Groups = process.Fork, someGroups })},
		{"exit 3", exitRecord(1, 3<<8, process.Killer{}, 0), with(func(ev *process.Event) {
			ev.Kind, ev.Execed, ev.Status = process.Exit, true, 3<<8
		})},
		{"exit, the parent elsewhere", exitRecord(1|0x2000, 0, process.Killer{}, 0), with(func(ev *process.Event) {
			ev.Kind, ev.Execed, ev.ParentWaiting = process.Exit, true, process.No
		})},
		{"exit, the parent in wait", exitRecord(1|0x7000, 0, process.Killer{}, 0), with(func(ev *process.Event) {
			ev.Kind, ev.Execed, ev.ParentWaiting, ev.Usage.RunDelayKnown = process.Exit, true, process.Yes, true
		})},
		{"exit without an exec, below another root", exitRecord(0x800, 0, process.Killer{}, 0), with(func(ev *process.Event) {
			ev.Kind, ev.Credentials.OtherRoot = process.Exit, true
		})},
		{"exit by signal, without an exec", exitRecord(0, 0x8b, someKiller, 0), with(func(ev *process.Event) {
			ev.Kind, ev.Status, ev.Killer = process.Exit, 0x8b, someKiller
		})},
		{"exit out of memory", exitRecord(0x200, 9, process.Killer{}, 5), with(func(ev *process.Event) {
			ev.Kind, ev.Status = process.Exit, 9
			ev.OOM = process.OOM{Killed: true, Limit: 5 * uint64(os.Getpagesize())}
		})},
		{"exec below another root", execRecord(0x800, 1, "a", "a\x00", "", "a\x00", ""), with(func(ev *process.Event) {
			ev.Kind = process.Exec
			ev.Image = process.Image{Filename: "a", Executable: "/a", Args: "a\x00", ArgsCount: 1}
			ev.Credentials.OtherRoot = true
		})},
		{"cgroup", cgroupRecord(77, "b\x00a\x00"), with(func(ev *process.Event) {
			ev.Kind, ev.Comm, ev.CgroupID, ev.CgroupPath = process.CgroupPath, "", 77, "/a/b"
		})},
		{"cgroup, the root", cgroupRecord(1, ""), with(func(ev *process.Event) {
			ev.Kind, ev.Comm, ev.CgroupID, ev.CgroupPath = process.CgroupPath, "", 1, "/"
		})},
		{"comm of 16 bytes", forkRecord("0123456789abcdef"), with(func(ev *process.Event) {
			ev.Kind, ev.Groups, ev.Comm = process.Fork, someGroups, "0123456789abcdef"
		})},
		{
			"exec",
			execRecord(2, 2, "/bin/ls\x00", "ls\x00bin\x00usr\x00", "tmp\x00", "ls\x00-l\x00", "A=1\x00B=\x00"),
			with(func(ev *process.Event) {
				ev.Kind, ev.FirstExec = process.Exec, true
				ev.Image = process.Image{
					Filename: "/bin/ls", Executable: "/usr/bin/ls", WorkingDirectory: "/tmp",
					Args: "ls\x00-l\x00", ArgsCount: 2, Environment: "A=1\x00B=\x00",
				}
			}),
		},
		{
			"exec, everything cut or gone",
			execRecord(0x4|0x8|0x10|0x20|0x100, 9, "", "b\x00a\x00", "d\x00c\x00", "x", ""),
			with(func(ev *process.Event) {
				ev.Kind = process.Exec
				ev.Image = process.Image{
					Executable: "/a/b (deleted)", Deleted: true, WorkingDirectory: "/c/d (deleted)",
					Args: "x", ArgsCount: 9, ArgsCut: true, EnvironmentCut: true, PathCut: true,
				}
			}),
		},
		{
			"exec in the root directory",
			execRecord(0, 0, "x\x00", "x\x00", "\x00", "", ""),
			with(func(ev *process.Event) {
				ev.Kind = process.Exec
				ev.Image = process.Image{Filename: "x", Executable: "/x", WorkingDirectory: "/"}
			}),
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got process.Event
			if err := NewDecoder().Decode(tc.raw, &got); err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("decoded\n%+v, want\n%+v", got, tc.want)
			}
		})
	}
}

func TestDecodeMalformed(t *testing.T) {
	tooLong := func(offset uintptr) []byte {
		raw := execRecord(0, 0, "/bin/ls\x00", "", "", "", "")
		binary.NativeEndian.PutUint32(raw[offset:], 1<<31)
		return raw
	}
	for _, tc := range []struct {
		name, want string
		raw        []byte
	}{
		{"empty", "0 bytes are too few for a header", nil},
		{"short header", "63 bytes are too few for a header", record(1, 0, "sh")[:63]},
		{"unknown kind", "unknown kind 77", record(77, 0, "sh")},
		{"short fork", "95 bytes are too few for a fork", forkRecord("sh")[:95]},
		{"short exit", "too few for an exit", record(3, 0, "sh")},
		{"short exit without exec", "too few for an exit without exec", exitRecord(0, 0, process.Killer{}, 0)[:260]},
		{"short exec", "too few for an exec", record(2, 0, "sh", 1, 2, 3)},
		{"short cgroup", "too few for a cgroup", cgroupRecord(1, "")[:79]},
		{"cgroup path longer than the record", "the path of a cgroup has 2 bytes, but 1 are left", cgroupRecord(1, "a\x00")[:81]},
		{"arguments longer than the record", "part 3 of an exec has 2147483648 bytes, but 0 are left", tooLong(unsafe.Offsetof(procspanWireExec{}.ArgsLen))},
		{"environment longer than the record", "part 4 of an exec has 2147483648 bytes, but 0 are left", tooLong(unsafe.Offsetof(procspanWireExec{}.EnvLen))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var ev process.Event
			err := NewDecoder().Decode(tc.raw, &ev)
			if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want ErrMalformed with %q", err, tc.want)
			}
		})
	}
}

// Go lays out the generated structs as C does, padding included.
func TestWireSizes(t *testing.T) {
	spec, err := loadProcspan()
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]uintptr{
		"wire_header":      unsafe.Sizeof(procspanWireHeader{}),
		"wire_groups":      unsafe.Sizeof(procspanWireGroups{}),
		"wire_fork":        unsafe.Sizeof(procspanWireFork{}),
		"wire_exec":        unsafe.Sizeof(procspanWireExec{}),
		"wire_exit":        unsafe.Sizeof(procspanWireExit{}),
		"wire_fork_exit":   unsafe.Sizeof(procspanWireForkExit{}),
		"wire_cgroup":      unsafe.Sizeof(procspanWireCgroup{}),
		"wire_credentials": unsafe.Sizeof(procspanWireCredentials{}),
		"wire_namespaces":  unsafe.Sizeof(procspanWireNamespaces{}),
		"wire_usage":       unsafe.Sizeof(procspanWireUsage{}),
		"wire_snapshot":    unsafe.Sizeof(procspanWireSnapshot{}),
	} {
		var s *btf.Struct
		if err := spec.Types.TypeByName(name, &s); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got != uintptr(s.Size) {
			t.Errorf("%s has %d bytes in Go and %d in C", name, got, s.Size)
		}
		var members uint32
		for _, m := range s.Members {
			size, err := btf.Sizeof(m.Type)
			if err != nil {
				t.Fatal(err)
			}
			members += uint32(size)
		}
		if members != s.Size {
			t.Errorf("%s has %d bytes of members in %d: make the padding explicit", name, members, s.Size)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(forkRecord("sh"))
	f.Add(exitRecord(1, 3<<8, process.Killer{}, 0))
	f.Add(execRecord(2, 2, "/bin/ls\x00", "ls\x00bin\x00usr\x00", "tmp\x00", "ls\x00-l\x00", "A=1\x00B=\x00"))
	f.Add(execRecord(0x1ff, 2, "\x00\x00", "\x00\x00a", "/", "\x00", "A"))
	f.Add(exitRecord(0x200, 9, someKiller, 5))
	f.Add(cgroupRecord(77, "b\x00a\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		size := len(raw)
		var ev process.Event
		if err := NewDecoder().Decode(raw, &ev); err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error %v is not ErrMalformed", err)
			}
			return
		}
		im := &ev.Image
		// What is added to a record is " (deleted)", twice at most.
		if n := len(im.Filename) + len(im.Executable) + len(im.WorkingDirectory) + len(im.Args) + len(im.Environment) + len(ev.CgroupPath); n > size+20 {
			t.Fatalf("%d bytes of strings out of %d", n, size)
		}
		if ev.Kind == process.Exec && im.Executable != "" && im.Executable[0] != '/' && im.Executable != " (deleted)" {
			t.Fatalf("executable %q is no absolute path", im.Executable)
		}
		if (ev.Kind == process.CgroupPath) != strings.HasPrefix(ev.CgroupPath, "/") {
			t.Fatalf("%v with the path %q", ev.Kind, ev.CgroupPath)
		}
	})
}

func BenchmarkDecodeExec(b *testing.B) {
	raw := execRecord(2, 3, "/usr/bin/gcc\x00", "x86_64-linux-gnu-gcc-12\x00bin\x00usr\x00", "project\x00src\x00builder\x00home\x00", "gcc\x00-c\x00main.c\x00", "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\x00")
	d := NewDecoder()
	scratch := make([]byte, len(raw))
	var ev process.Event
	b.ReportAllocs()
	for b.Loop() {
		copy(scratch, raw) // decode straightens paths in place
		if err := d.Decode(scratch, &ev); err != nil {
			b.Fatal(err)
		}
	}
}
