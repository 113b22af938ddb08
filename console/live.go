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
	wall func(process.Time) time.Time
}

// NewLive returns a live table on w. wall converts kernel time to the time of day.
func NewLive(w io.Writer, wall func(process.Time) time.Time) *Live {
	return &Live{w: w, wall: wall}
}

// Heading writes the names of the columns.
func (v *Live) Heading() error {
	return v.line("TIME", "EVENT", "COMM", "PID", "PPID", "FILENAME/EXIT CODE")
}

// Exec writes the line of an exec.
func (v *Live) Exec(ev *process.Event) error {
	file := ev.Image.Filename
	if file == "" {
		file = ev.Image.Executable
	}
	return v.line(v.time(ev.At), "EXEC", Printable(ev.Comm), ev.ID.PID, ev.Parent.PID, Printable(file))
}

// Exit writes the line of an exit.
func (v *Live) Exit(l *process.Lifetime) error {
	end := fmt.Sprintf("[%d]", l.Status.ExitCode())
	switch {
	case l.EndEstimated:
		end = "[?] " + outcome(l)
	case l.Status.Signal() != 0:
		end += " " + outcome(l)
	}
	if !l.StartEstimated {
		end += fmt.Sprintf(" (%s)", Duration(duration(l)))
	}
	return v.line(v.time(l.End), "EXIT", Printable(cmp.Or(l.Comm, l.Name())), l.ID.PID, l.ParentPID, end)
}

func (v *Live) time(at process.Time) string { return v.wall(at).Format("15:04:05.000") }

func (v *Live) line(at, event, comm string, pid, parent any, rest string) error {
	_, err := fmt.Fprintf(v.w, "%-12s %-5s %s %-7v %-7v %s\n", at, event, Pad(comm, 16), pid, parent, rest)
	return err
}
