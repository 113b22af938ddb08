package scenario

import (
	"flag"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// facts compares what the process was and used with what the kernel showed of it.
func (c *checker) facts(w *want, people []Process) {
	if c.p.Shown != nil {
		c.credentials()
		c.groups()
		c.namespaces()
	}
	if c.p.Used != nil {
		c.usage(w, people)
	}
	c.io(w)
	c.killer(w, people)
	var killed any
	if w.oom {
		killed = true
	}
	c.attr("procspan.oom_killed", killed)
	c.attr("procspan.oom.limit", count(w.limit))
}

func (c *checker) credentials() {
	users, groups := c.p.Shown.numbers("Uid"), c.p.Shown.numbers("Gid")
	const real, effective, saved = 0, 1, 2
	for i, name := range []string{real: "real_user", effective: "user", saved: "saved_user"} {
		var id, login, group any
		if i == effective || users[i] != users[effective] {
			id, login = int64(users[i]), c.login(users[i])
		}
		if i == effective || groups[i] != groups[effective] {
			group = int64(groups[i])
		}
		c.attr("process."+name+".id", id)
		c.attr("process."+name+".name", login)
		c.attr("procspan."+name+".group.id", group)
	}
}

// login returns the name of a user, or nil. Who has another root directory has no name
// of those here.
func (c *checker) login(uid int) any {
	found, err := user.LookupId(strconv.Itoa(uid))
	if err != nil || c.p.Shown.OtherRoot {
		return nil
	}
	return found.Username
}

func (c *checker) groups() {
	stat := func(field int) int64 {
		n, err := c.p.Shown.stat(field)
		if err != nil {
			c.errorf("%v", err)
		}
		return int64(n)
	}
	group, session, terminal := stat(5), stat(6), stat(7)
	var interactive any
	if session != 0 { // as that of init, until it makes one
		interactive = terminal != 0
	}
	c.attr("process.group_leader.pid", count(group))
	c.attr("process.session_leader.pid", count(session))
	c.attr("process.interactive", interactive)
	pids := c.p.Shown.numbers("NSpid")
	var vpid any
	if own := pids[len(pids)-1]; own != c.p.PID {
		vpid = int64(own)
	}
	c.attr("process.vpid", vpid)
	path, _ := c.span.Attr("process.linux.cgroup").(string)
	if !slices.Contains(c.cgroups(), path) {
		c.errorf("process.linux.cgroup is %q, want one of %q", path, c.cgroups())
	}
}

func (c *checker) namespaces() {
	for _, name := range kindsOfNamespaces {
		c.attr("procspan.namespace."+name, count(c.p.Shown.Namespaces[name]))
	}
}

// cgroups returns the paths of the process in all hierarchies.
func (c *checker) cgroups() (paths []string) {
	for line := range strings.Lines(c.p.Shown.Cgroup) {
		paths = append(paths, strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)[2])
	}
	return paths
}

// What a process may use when the agent has been told of its end: it gives its
// memory back, preempted now and then, closes files, which may have to be written,
// and is switched away from.
const (
	lastWritten     = 64 << 10
	lastSwitches    = 5
	lastPreemptions = 100
)

// uncounted is about how much CPU time the kernel counts only after the end, and
// the agent infers as far as it can: a few ticks.
const uncounted = 20 * time.Millisecond

// emulated says that a CPU may stand still at any time, which the kernel and the
// agent take for work, each at its own moments: CPU times then tell nothing.
var emulated = flag.Bool("emulated", false, "this machine is emulated")

// manyTicks is how much CPU time the kernel divides well between user and system:
// it goes by what each tick hits.
const manyTicks = 100 * time.Millisecond

// What the exec itself uses before it is seen: faults and memory for its strings, a
// read of the file, a wait for it.
const (
	execSwitches = 10
	execFaults   = 64
	execRead     = 256 << 10
	execKiB      = 4096
)

// usage compares the usage of the process with what wait4 returned to its parent,
// without that before its first exec and that of the children it waited for.
func (c *checker) usage(w *want, people []Process) {
	used := *c.p.Used
	var before unix.Rusage
	if c.p.Before != nil && !c.p.Older {
		before = *c.p.Before
		used = without(used, before)
	}
	for i := range people {
		if p := &people[i]; p.Used != nil && slices.Contains(w.waits, p.Label) {
			used = without(used, *p.Used)
		}
	}
	if len(w.waits) == 0 { // it is the most of all of them
		if used.Maxrss > before.Maxrss+execKiB {
			c.attr("procspan.memory.peak_rss", used.Maxrss<<10)
		} else { // its own, or nothing
			c.fewer("procspan.memory.peak_rss", used.Maxrss<<10, used.Maxrss<<10)
		}
	}
	strings := 0
	for _, arg := range c.p.Args {
		strings += len(arg)
	}
	c.fewer("procspan.paging.faults.minor", used.Minflt, execFaults+int64(strings)/4096)
	c.attr("procspan.paging.faults.major", count(used.Majflt))
	c.fewer("procspan.context_switches.voluntary", used.Nvcsw, lastSwitches+execSwitches)
	c.fewer("procspan.context_switches.involuntary", used.Nivcsw, lastPreemptions)
	// wait4 counts the whole sectors of each thread.
	const sector, threads = 512, 4
	c.fewer("procspan.disk.io.read", (used.Inblock+threads)*sector, threads*sector+execRead)
	c.fewer("procspan.disk.io.write", (used.Oublock+threads)*sector, threads*sector+lastWritten)
	c.time(time.Duration(used.Utime.Nano()), time.Duration(used.Stime.Nano()))
}

func (c *checker) time(wantUser, wantSystem time.Duration) {
	user, system := c.seconds("procspan.cpu.time.user"), c.seconds("procspan.cpu.time.system")
	want := wantUser + wantSystem
	off := uncounted + want/10
	if got := user + system; (got-want).Abs() > off && !*emulated {
		c.errorf("its CPU time is %s, want %s give or take %s", got, want, off)
	}
	if want > manyTicks && (user-wantUser).Abs() > off && !*emulated {
		c.errorf("its CPU time in user mode is %s, want %s give or take %s", user, wantUser, off)
	}
}

func (c *checker) seconds(key string) time.Duration {
	return time.Duration(c.span.number(key) * 1e9)
}

// io compares what the process read and wrote by system calls since its exec with
// what the test knows.
func (c *checker) io(w *want) {
	if w.reads == 0 {
		return
	}
	c.attr("procspan.syscall.io.read", count(w.reads))
	c.attr("procspan.syscall.io.write", count(w.writes))
}

// without returns the difference of all that adds up.
func without(a, b unix.Rusage) unix.Rusage {
	a.Utime = unix.NsecToTimeval(a.Utime.Nano() - b.Utime.Nano())
	a.Stime = unix.NsecToTimeval(a.Stime.Nano() - b.Stime.Nano())
	a.Minflt -= b.Minflt
	a.Majflt -= b.Majflt
	a.Nvcsw -= b.Nvcsw
	a.Nivcsw -= b.Nivcsw
	a.Inblock -= b.Inblock
	a.Oublock -= b.Oublock
	return a
}

// count is an attribute that is absent when it is 0.
func count(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

func (c *checker) fewer(key string, most, less int64) {
	if got := c.span.number(key); got > float64(most) || got < float64(most-less) {
		c.errorf("%s is %g, want %d less %d at most", key, got, most, less)
	}
}

// number returns a number, 0 when it is absent.
func (s Span) number(key string) float64 {
	switch n := s.Attr(key).(type) {
	case int64:
		return float64(n)
	case float64:
		return n
	}
	return 0
}

// killer checks who killed the process.
func (c *checker) killer(w *want, people []Process) {
	var pid, name, path any
	for i := range people {
		if p := &people[i]; p.Label == w.killer {
			pid, name, path = int64(p.PID), strings.TrimSuffix(p.Shown.Comm, "\n"), p.Executable
		}
	}
	if w.killer != "" && pid == nil {
		c.errorf("there is no %s to have killed it", w.killer)
	}
	c.attr("procspan.exit.killer.pid", pid)
	c.attr("procspan.exit.killer.name", name)
	c.attr("procspan.exit.killer.path", path)
}
