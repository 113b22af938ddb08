// Package scenario makes processes begin, change and end in every way that
// matters, with system calls of its own, and says for each what happened: the
// truth that procspan's spans are compared with.
//
// In goes the name of a scenario, as arguments of the binary that contains this
// package (Main); out come lines of JSON, one Process each, on file descriptor 3.
// Beside the scenarios stand what a comparison needs: a Sink that receives
// spans over OTLP, and two witnesses of the kernel's own (Witness).
//
// The rules of this room:
//
//   - The truth comes from where procspan does not look: what clone returned,
//     what wait4 returned, what /proc showed while the process stood still, and
//     clocks read just before and just after.
//   - Nothing is timed by sleeping. Processes wait for each other in shared
//     memory; the only naps are those that are the scenario.
//   - A scenario works in its current directory, which is its own, and in
//     namespaces of its own. It changes nothing else of the machine.
package scenario

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/test/scenario/raw"
)

const (
	// reportFD is where the truth goes.
	reportFD = 3
	// patience bounds every wait for a process that should act at once. It passes only
	// when something is wrong, however busy the machine is.
	patience = 2 * time.Minute
	// limit bounds a whole scenario.
	limit = 15 * time.Minute
)

// Main runs the scenario that args name, when args begin with "scenario". It is
// the first call of a main function or of TestMain.
func Main(args []string) (code int, handled bool) {
	if len(args) == 0 || args[0] != "scenario" {
		return 0, false
	}
	if len(args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: scenario NAME")
		return 2, true
	}
	play, ok := scenarios()[args[1]]
	if !ok {
		fmt.Fprintf(os.Stderr, "scenario: no scenario is called %q\n", args[1])
		return 2, true
	}
	if err := stage(play, args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "scenario %s: %v\n", args[1], err)
		return raw.StatusBroken, true
	}
	return 0, true
}

// Names lists the scenarios.
func Names() []string {
	var names []string
	for name := range scenarios() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// scene is one scenario being played.
type scene struct {
	shared *raw.Shared
	dir    string
	args   []string
	self   *Process // nil where another process reports this one
	lives  []*life
	gates  []raw.Cell
	out    *json.Encoder
}

// failure carries an error from the depth of a scenario to stage.
type failure struct{ error }

// stage plays a scenario and reports its lives.
func stage(play func(*scene), args []string) (err error) {
	s := &scene{args: args, out: json.NewEncoder(os.NewFile(reportFD, "report"))}
	unix.CloseOnExec(reportFD)
	if s.shared, err = raw.Share(); err != nil {
		return err
	}
	defer func() {
		s.openGates()
		switch f := recover().(type) {
		case nil:
		case failure:
			err = f.error
		default:
			panic(f)
		}
	}()
	watchdog := time.AfterFunc(limit, func() {
		s.openGates()
		panic("the scenario hangs")
	})
	defer watchdog.Stop()
	// Not os.Getwd, which believes $PWD.
	s.dir, err = os.Readlink("/proc/self/cwd")
	s.check(err, "find the working directory")
	s.self = &Process{Label: "scenario", PID: os.Getpid(), Shown: s.show(os.Getpid())}
	s.self.Started.NotAfter = now()
	play(s)
	for _, l := range s.lives {
		s.report(l.truth())
	}
	if s.self != nil {
		s.self.Ended.NotBefore = now()
		s.report(*s.self)
	}
	return nil
}

// report writes one line of truth.
func (s *scene) report(p Process) { s.check(s.out.Encode(p), "report") }

// gate makes a cell that processes wait for. All are open when the scenario
// ends, so that it leaves no process behind, however it ends.
func (s *scene) gate() raw.Cell {
	gate := s.shared.Cells(1)
	s.gates = append(s.gates, gate)
	return gate
}

func (s *scene) openGates() {
	for _, gate := range s.gates {
		gate.Open()
	}
}

// check ends the scenario when err is an error.
func (s *scene) check(err error, doing string) {
	if err != nil {
		panic(failure{fmt.Errorf("%s: %w", doing, err)})
	}
}

// run executes steps in this process.
func (s *scene) run(body func(*raw.Block)) {
	b, err := raw.New(4 << 20)
	s.check(err, "run")
	defer b.Free()
	body(b)
	b.Run()
}

// write creates a file and returns its path.
func (s *scene) write(name string, data []byte, perm os.FileMode) string {
	path := s.dir + "/" + name
	s.check(os.WriteFile(path, data, perm), "write file")
	return path
}

// tell adds a write to a file that is there, such as one of the kernel's.
func (s *scene) tell(b *raw.Block, path, text string) {
	fd := s.shared.Cells(1)
	b.Into(fd, unix.SYS_OPENAT, raw.N(unix.AT_FDCWD), b.Bytes(path), raw.N(unix.O_WRONLY|unix.O_CLOEXEC), raw.N(0))
	b.Must("write "+path, unix.SYS_WRITE, fd.Val(), b.Bytes(text), raw.N(len(text)))
}
