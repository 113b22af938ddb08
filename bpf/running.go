package bpf

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
)

// Running lists the processes that are running now, and those that are about to end,
// without zombies. After Open the list and the events together are complete: a
// process is in the list, or its exit is in the ring, or it had ended before Open.
// In a pid namespace of its own the agent sees the processes of that namespace
// only; see SeesAll. The iterator of some kernels (6.18) omits the namespace's pid 1,
// which does not end before the agent.
func (t *Tracer) Running() ([]process.Living, error) {
	var all []process.Living
	err := t.eachRunning(func(record *procspanWireSnapshot) {
		all = append(all, running(record))
	})
	return all, err
}

// initialPIDNamespace is the inode of the initial pid namespace (PROC_PID_INIT_INO).
const initialPIDNamespace = 0xEFFFFFFC

// SeesAll reports whether Running lists all processes of the host: whether the agent
// is in the initial pid namespace.
func SeesAll() bool {
	var stat unix.Stat_t
	return unix.Stat("/proc/self/ns/pid", &stat) == nil && stat.Ino == initialPIDNamespace
}

func running(record *procspanWireSnapshot) process.Living {
	header := &record.Header
	has := func(flag procspanWireFlag) bool { return header.Flags&uint32(flag) != 0 }
	return process.Living{
		ID:           id(header.Pid, header.Start),
		Parent:       id(header.ParentPid, header.ParentStart),
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

// FollowChild adds the youngest child of this process to the traced processes,
// with its own execs and all its descendants; see Options.OnlyDescendants. It
// returns the child's current state.
func (t *Tracer) FollowChild() (process.Living, error) {
	self, child, err := t.family()
	if err != nil {
		return child, err
	}
	if child.ID.IsZero() {
		return child, fmt.Errorf("find the child of pid %d: it has ended", self.PID)
	}
	t.self = self
	return child, t.follow(child.ID.PID)
}

// FollowTree adds a running process and its descendants to the traced processes; see
// Options.OnlyDescendants. It returns those that run.
func (t *Tracer) FollowTree(pid uint32) (tree []process.Living, err error) {
	followed := make(map[process.ID]bool)
	for again := true; again; {
		all, err := t.Running()
		if err != nil {
			return nil, err
		}
		slices.SortFunc(all, func(a, b process.Living) int { return cmp.Compare(a.ID.Start, b.ID.Start) })
		before := maps.Clone(followed)
		tree, again = nil, false
		for _, p := range all { // parents first
			switch {
			case p.ID.PID != pid && !followed[p.Parent] && !followed[p.ID]:
				continue
			case !before[p.Parent] && !before[p.ID]: // perhaps forked before its parent was followed
				again = true
				if err := t.follow(p.ID.PID); err != nil {
					return nil, err
				}
			}
			followed[p.ID] = true
			tree = append(tree, p)
		}
	}
	if len(tree) == 0 {
		return nil, fmt.Errorf("follow the descendants of pid %d: there is no such process", pid)
	}
	return tree, nil
}

var errNotListed = errors.New("find procspan itself among the running processes: it is not listed")

// introduce runs the iterator, in which the BPF programs note this process's root
// directory and the host's namespaces, to compare those of other processes with. It
// returns this process, or zero if the list omits it; see Running.
func (t *Tracer) introduce() (self process.ID, err error) {
	err = t.eachRunning(func(record *procspanWireSnapshot) {
		if record.Header.Flags&uint32(procspanWireFlagWIRE_SELF) != 0 {
			self = running(record).ID
		}
	})
	return self, err
}

// family finds this process and its youngest child in the kernel, since in a pid
// namespace getpid returns another pid.
func (t *Tracer) family() (self process.ID, child process.Living, err error) {
	if self, err = t.introduce(); err != nil {
		return self, child, err
	}
	if self.IsZero() {
		return self, child, errNotListed
	}
	err = t.eachRunning(func(record *procspanWireSnapshot) {
		if p := running(record); p.Parent == self && !p.Ending && p.ID.Start > child.ID.Start {
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

// followSelf adds the descendants of this process to the traced processes.
func (t *Tracer) followSelf(self process.ID) error {
	if self.IsZero() {
		return errNotListed
	}
	return t.follow(self.PID)
}

func (t *Tracer) eachRunning(visit func(*procspanWireSnapshot)) error {
	it, err := link.AttachIter(link.IterOptions{Program: t.objects.ListRunning})
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
