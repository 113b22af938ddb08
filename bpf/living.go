package bpf

import (
	"errors"
	"fmt"
	"io"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
)

// Living lists the processes that are alive now, and those that are about to end,
// zombies not counted. Called after Open, it misses none that no event will tell
// of: a process is in the list, or its exit is in the ring, or it had ended before.
// In a pid namespace of its own the agent sees the processes of that namespace
// only; see SeesAll. Some kernels' iterator (6.18) leaves out the namespace's pid 1,
// which does not end while the agent lives.
func (t *Tracer) Living() ([]process.Living, error) {
	var all []process.Living
	err := t.eachLiving(func(record *procspanWireSnapshot) {
		all = append(all, living(record))
	})
	return all, err
}

// initialPIDNamespace is the inode of the initial pid namespace (PROC_PID_INIT_INO).
const initialPIDNamespace = 0xEFFFFFFC

// SeesAll reports whether Living lists the processes of the whole host: whether
// the agent is in the initial pid namespace.
func SeesAll() bool {
	var stat unix.Stat_t
	return unix.Stat("/proc/self/ns/pid", &stat) == nil && stat.Ino == initialPIDNamespace
}

func living(record *procspanWireSnapshot) process.Living {
	header := &record.Header
	has := func(flag procspanWireFlag) bool { return header.Flags&uint32(flag) != 0 }
	return process.Living{
		ID:           process.ID{PID: header.Pid, Start: header.Start},
		Parent:       process.ID{PID: header.ParentPid, Start: header.ParentStart},
		ExecID:       header.ExecId,
		Execed:       has(procspanWireFlagWIRE_EXECED),
		KernelThread: has(procspanWireFlagWIRE_KTHREAD),
		Ending:       has(procspanWireFlagWIRE_ENDING),
		Groups:       groups(&record.Groups),
		Credentials:  credentials(&record.Credentials, header),
		Namespaces:   namespaces(&record.Namespaces),
		VPID:         record.Namespaces.Vpid,
	}
}

// FollowChild makes the youngest child of this process one whose descendants,
// and what it becomes itself, are traced; see Options.OnlyDescendants. It
// returns the child as it is now.
func (t *Tracer) FollowChild() (process.Living, error) {
	self, child, err := t.family()
	if err != nil {
		return child, err
	}
	if child.ID.IsZero() {
		return child, fmt.Errorf("find the child of pid %d: it has ended", self.PID)
	}
	return child, t.follow(child.ID.PID)
}

var errNotListed = errors.New("find procspan itself among the living processes: it is not listed")

// introduce has the programs see this process and the eldest ones, whose root
// directory and namespaces they compare those of others with. It returns this process,
// or zero where it is not in the list; see Living.
func (t *Tracer) introduce() (self process.ID, err error) {
	err = t.eachLiving(func(record *procspanWireSnapshot) {
		if record.Header.Flags&uint32(procspanWireFlagWIRE_SELF) != 0 {
			self = living(record).ID
		}
	})
	return self, err
}

// family finds this process and its youngest child. They are looked up in the
// kernel, since in a pid namespace getpid tells another pid.
func (t *Tracer) family() (self process.ID, child process.Living, err error) {
	if self, err = t.introduce(); err != nil {
		return self, child, err
	}
	if self.IsZero() {
		return self, child, errNotListed
	}
	err = t.eachLiving(func(record *procspanWireSnapshot) {
		if p := living(record); p.Parent == self && !p.Ending && p.ID.Start > child.ID.Start {
			child = p
		}
	})
	return self, child, err
}

func (t *Tracer) follow(pid uint32) error {
	if err := t.objects.Followed.Update(pid, uint8(1), ebpf.UpdateAny); err != nil {
		return fmt.Errorf("follow the descendants of pid %d: %w", pid, err)
	}
	return nil
}

// followSelf makes this process the one whose descendants are traced.
func (t *Tracer) followSelf(self process.ID) error {
	if self.IsZero() {
		return errNotListed
	}
	return t.follow(self.PID)
}

func (t *Tracer) eachLiving(visit func(*procspanWireSnapshot)) error {
	it, err := link.AttachIter(link.IterOptions{Program: t.objects.ListLiving})
	if err != nil {
		return explain("attach the task iterator", err)
	}
	defer it.Close()
	file, err := it.Open()
	if err != nil {
		return explain("open the task iterator", err)
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	if err != nil {
		return fmt.Errorf("read the task iterator: %w", err)
	}
	for len(data) > 0 {
		record, rest, ok := view[procspanWireSnapshot](data)
		if !ok {
			return fmt.Errorf("read the task iterator: %d bytes left, a record has %d", len(data), unsafe.Sizeof(*record))
		}
		visit(record)
		data = rest
	}
	return nil
}
