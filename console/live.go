package console

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/procspan/procspan/process"
)

// Live is the live table: a line for each exec and each exit.
type Live struct {
	w    io.Writer
	wall func(boot uint64) time.Time
}

// NewLive returns a live table on w. wall turns kernel time, in nanoseconds
// since boot, into the time of day.
func NewLive(w io.Writer, wall func(boot uint64) time.Time) *Live {
	return &Live{w: w, wall: wall}
}

// Heading shows the names of the columns.
func (v *Live) Heading() error {
	return v.line("TIME", "EVENT", "COMM", "PID", "PPID", "FILENAME/EXIT CODE")
}

// Exec shows that a process became a program.
func (v *Live) Exec(ev *process.Event) error {
	file := ev.Image.Filename
	if file == "" {
		file = ev.Image.Executable
	}
	return v.line(v.time(ev.At), "EXEC", Printable(ev.Comm), ev.ID.PID, ev.Parent.PID, Printable(file))
}

// Exit shows that a process ended.
func (v *Live) Exit(l *process.Lifetime) error {
	end := fmt.Sprintf("[%d]", l.Status.ExitCode())
	switch {
	case l.EndEstimated:
		end = "[?] " + outcome(l)
	case l.Status.Signal() != 0:
		end += " " + outcome(l)
	}
	if !l.StartEstimated {
		end += fmt.Sprintf(" (%s)", short(duration(l)))
	}
	return v.line(v.time(l.End), "EXIT", Printable(cmp.Or(l.Comm, l.Name())), l.ID.PID, l.ParentPID, end)
}

func (v *Live) time(boot uint64) string { return v.wall(boot).Format("15:04:05.000") }

func (v *Live) line(columns ...any) error {
	_, err := fmt.Fprintf(v.w, "%-12v %-5v %-16v %-7v %-7v %v\n", columns...)
	return err
}
