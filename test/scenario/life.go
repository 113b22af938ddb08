package scenario

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/test/scenario/raw"
)

// life is one process of a scenario. Its cells are filled by the process that sees the
// thing happen: the one that forks it, itself, the one that waits for it.
type life struct {
	s   *scene
	p   Process
	env []string // of its first exec

	pid, status raw.Cell
	forking     raw.Cell // a clock before the fork
	execing     raw.Cell // a clock before the exec
	started     raw.Cell // a clock after the exec, the program's first act
	ending      raw.Cell // a clock before the end
	ended       raw.Cell // a clock after the wait
	before      raw.Cell // what getrusage returned before the exec
	used        raw.Cell // what wait4 told
	known       raw.Cell // open: pid has been stored
	parked      raw.Cell // open: the program runs and stands still
	gate        raw.Cell // open: the program goes on
	later       []later
}

// life adds a process to what the scenario reports.
func (s *scene) life(label string) *life {
	cells := s.shared.Cells(14 + 2*raw.UsageCells)
	l := &life{
		s: s, p: Process{Label: label, Origin: os.Getpid()},
		pid: cells, status: cells.At(1), parked: cells.At(2), gate: s.gate(),
		forking: cells.At(3), execing: cells.At(5), started: cells.At(7), ending: cells.At(9), ended: cells.At(11),
		known: cells.At(13), used: cells.At(14), before: cells.At(14 + raw.UsageCells),
	}
	s.lives = append(s.lives, l)
	return l
}

// Steps: what programs and forked children consist of.

// clone adds the beginning of l, by a clone with the flags given; the child
// executes body.
func (l *life) clone(b *raw.Block, flags uintptr, body func(*raw.Block)) {
	b.Clock(l.forking)
	b.Clone(l.pid, flags, body)
	b.Open(l.known)
}

// forkInto adds the beginning of l in a cgroup.
func (l *life) forkInto(b *raw.Block, cgroup int, body func(*raw.Block)) {
	b.Clock(l.forking)
	b.ForkInto(l.pid, cgroup, body)
	b.Open(l.known)
}

// forkAs adds the beginning of l with the pid in the cell, which another process has
// had. The times of the two are further apart than the tolerance of a comparison.
func (l *life) forkAs(b *raw.Block, pid raw.Cell, body func(*raw.Block)) {
	b.Nap(1)
	b.Clock(l.forking)
	b.ForkAs(l.pid, pid, body)
	b.Open(l.known)
}

// fork adds the beginning of l by a fork.
func (l *life) fork(b *raw.Block, body func(*raw.Block)) { l.clone(b, raw.Fork, body) }

// spawn adds a fork and the exec of path in the child.
func (l *life) spawn(b *raw.Block, path string, argv ...string) {
	l.fork(b, func(c *raw.Block) { l.exec(c, path, argv...) })
}

// exec adds the first exec of l.
func (l *life) exec(b *raw.Block, path string, argv ...string) {
	l.p.First = path
	l.beforeExec(b)
	b.Exec(path, argv, l.env)
}

// beforeExec adds what a child notes right before its first exec.
func (l *life) beforeExec(b *raw.Block) {
	b.Usage(l.before)
	b.Clock(l.execing)
}

// reexec adds a later exec of l.
func (l *life) reexec(b *raw.Block, to later, argv ...string) {
	b.Clock(to.clock)
	b.Exec(to.path, argv, to.env)
}

// park adds a halt: the program says that it runs and waits to be released.
func (l *life) park(b *raw.Block) {
	b.Open(l.parked)
	b.Await(l.gate)
}

// leave adds the end by exit_group.
func (l *life) leave(b *raw.Block, code int) {
	b.Clock(l.ending)
	b.ExitGroup(code)
}

// wait adds a wait for the end of l.
func (l *life) wait(b *raw.Block) {
	b.WaitUsage(l.pid, l.status, l.used)
	b.Clock(l.ended)
}

// image returns a program that l begins with.
func (l *life) image(body func(*raw.Block)) []byte {
	return raw.ELF(func(b *raw.Block) {
		b.Clock(l.started)
		body(b)
	})
}

// program writes an image to a file and returns its path.
func (l *life) program(name string, body func(*raw.Block)) string {
	return l.s.write(name, l.image(body), 0o755)
}

// later is a program for an exec after the first. Its clock has two times:
// before the exec and after.
type later struct {
	path  string
	env   []string
	clock raw.Cell
}

// becomes makes a program that l becomes later.
func (l *life) becomes(name string, body func(*raw.Block)) later {
	to := later{clock: l.s.shared.Cells(4)}
	to.path = l.s.write(name, raw.ELF(func(b *raw.Block) {
		b.Clock(to.clock.At(2))
		body(b)
	}), 0o755)
	l.later = append(l.later, to)
	return to
}

// From here: what the scenario does while its processes run.

// observe waits until l stands still, and looks at it.
func (l *life) observe() {
	l.s.check(l.parked.Await(patience), l.p.Label+": wait until it runs")
	l.s.check(l.known.Await(patience), l.p.Label+": wait for its pid")
	l.look(int(l.pid.Get()))
}

// look notes what /proc shows.
func (l *life) look(pid int) {
	proc := fmt.Sprintf("/proc/%d/", pid)
	var err error
	l.p.PID = pid
	l.p.Executable, err = os.Readlink(proc + "exe")
	l.s.check(err, "look at the executable")
	l.p.Directory, err = os.Readlink(proc + "cwd")
	l.s.check(err, "look at the working directory")
	cmdline, err := os.ReadFile(proc + "cmdline")
	l.s.check(err, "look at the arguments")
	if args, ok := bytes.CutSuffix(cmdline, []byte{0}); ok {
		l.p.Args = bytes.Split(args, []byte{0})
	}
	l.p.Shown = l.s.show(pid)
	l.p.ParentPID, err = l.p.Shown.stat(4)
	l.s.check(err, "look at the parent")
}

// show reads what a process has in /proc.
func (s *scene) show(pid int) *Shown {
	var shown Shown
	for name, text := range map[string]*string{
		"comm": &shown.Comm, "stat": &shown.Stat, "status": &shown.Status, "cgroup": &shown.Cgroup, "io": &shown.IO,
	} {
		file, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		s.check(err, "look at "+name)
		*text = string(file)
	}
	shown.Namespaces = s.namespaces(pid)
	var root, own unix.Stat_t
	s.check(unix.Stat(fmt.Sprintf("/proc/%d/root/.", pid), &root), "look at the root directory")
	s.check(unix.Stat("/", &own), "look at one's own root directory")
	shown.OtherRoot = root.Dev != own.Dev || root.Ino != own.Ino
	return &shown
}

// kindsOfNamespaces are the names in /proc/PID/ns.
var kindsOfNamespaces = []string{"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"}

// namespaces returns those of a process that are not the host's: kthreadd's.
func (s *scene) namespaces(pid int) map[string]int64 {
	const kthreadd = 2
	own := map[string]int64{}
	for _, name := range kindsOfNamespaces {
		var of, host unix.Stat_t
		err := unix.Stat(fmt.Sprintf("/proc/%d/ns/%s", pid, name), &of)
		if errors.Is(err, unix.ENOENT) { // the kernel has none of this kind
			continue
		}
		s.check(err, "look at the namespace "+name)
		err = unix.Stat(fmt.Sprintf("/proc/%d/ns/%s", kthreadd, name), &host)
		s.check(err, "look at the host's namespace "+name)
		if of.Ino != host.Ino {
			own[name] = int64(of.Ino)
		}
	}
	return own
}

// stat reads a number out of stat; fields count from 1.
func (s *Shown) stat(field int) (int, error) {
	// The second field is in parentheses and may contain anything.
	rest := s.Stat[strings.LastIndexByte(s.Stat, ')')+1:]
	return strconv.Atoi(strings.Fields(rest)[field-3])
}

// numbers reads the line of status or io that has this name: "Uid:	0	0	0	0".
func (s *Shown) numbers(name string) (list []int) {
	for line := range strings.Lines(s.Status + s.IO) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != name+":" {
			continue
		}
		for _, field := range fields[1:] {
			n, err := strconv.Atoi(field)
			if err != nil { // a unit
				break
			}
			list = append(list, n)
		}
	}
	return list
}

// reap waits for l, a child of the scenario.
func (l *life) reap() {
	var ws unix.WaitStatus
	var used unix.Rusage
	_, err := unix.Wait4(int(l.pid.Get()), &ws, unix.WALL, &used)
	l.s.check(err, l.p.Label+": wait for its end")
	l.ended.SetTime()
	l.p.Status, l.p.Used = ws, &used
}

// finish lets l, a child of the scenario that was spawned, go through its life.
func (l *life) finish() {
	l.observe()
	l.gate.Open()
	l.reap()
}

// truth puts together what is known of l.
func (l *life) truth() Process {
	p := l.p
	if p.PID == 0 {
		p.PID = int(l.pid.Get())
	}
	if p.Status == 0 {
		p.Status = unix.WaitStatus(uint32(l.status.Get()))
	}
	if used := l.used.Usage(); used != (unix.Rusage{}) {
		p.Used = &used
	}
	if before := l.before.Usage(); before != (unix.Rusage{}) {
		p.Before = &before
	}
	p.Created = Moment{l.forking.Time(), l.execing.Time()}
	p.Started = Moment{l.execing.Time(), l.started.Time()}
	p.Ended = Moment{l.ending.Time(), l.ended.Time()}
	for _, to := range l.later {
		p.Reexecs = append(p.Reexecs, Exec{to.path, Moment{to.clock.Time(), to.clock.At(2).Time()}})
	}
	slices.SortFunc(p.Reexecs, func(a, b Exec) int { return cmp.Compare(a.NotBefore, b.NotBefore) })
	return p
}
