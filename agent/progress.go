package agent

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/console"
	"github.com/procspan/procspan/process"
)

// progress shows how far a command is in the title of its terminal. The command
// writes to the same terminal, past procspan: a line on the screen would be torn by
// its output, or tear it. A title has a place of its own, but its bytes travel among
// the command's, where they must not cut an escape sequence in two; so it is written
// only while the command is silent.
//
// A nil *progress shows nothing.
type progress struct {
	terminal      *os.File
	name          string
	begin         time.Time
	seen, running atomic.Int64
	titled, off   bool // of the goroutine
	foreground    func(fd int) bool
	stopped, done chan struct{}
}

const (
	// silentFor is how long nothing may have been written before a title is.
	silentFor = 4 * time.Second
	// timeGrain is the grain of a terminal's time of modification: the kernel hides
	// when exactly somebody typed.
	timeGrain = 8
	// leaveWithin bounds the wait for a terminal that takes nothing, as after Ctrl-S.
	leaveWithin = time.Second
)

// startProgress shows the progress of the command of this name until stop is called.
func startProgress(terminal *os.File, name string) *progress {
	if terminal == nil {
		return nil
	}
	p := newProgress(terminal, name)
	go func() {
		defer close(p.done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.look(time.Now())
			case <-p.stopped:
				p.leave()
				return
			}
		}
	}()
	return p
}

func newProgress(terminal *os.File, name string) *progress {
	return &progress{
		terminal: terminal, name: console.Printable(name), begin: time.Now(), foreground: inForeground,
		stopped: make(chan struct{}), done: make(chan struct{}),
	}
}

// note takes the present counts.
func (p *progress) note(s process.Stats) {
	if p != nil {
		p.seen.Store(int64(s.Seen))
		p.running.Store(int64(s.Running))
	}
}

// look writes the title if the terminal is silent.
func (p *progress) look(now time.Time) {
	if p.off || !p.silent(now) {
		return
	}
	text := ""
	if !p.titled { // the title that was there is kept by the terminal
		text = "\x1b[22;2t"
	}
	text += fmt.Sprintf("\x1b]2;%s: %d processes, %d running, %s\x07", p.name, p.seen.Load(), p.running.Load(), now.Sub(p.begin).Round(time.Second))
	_, err := p.terminal.WriteString(text)
	p.titled = true
	// A terminal that does not note this write does not note the command's.
	p.off = err != nil || p.silent(time.Now())
}

// silent reports whether nothing was written to the terminal for silentFor, and
// whether a write from here is welcome: the command may have been put in the
// background.
func (p *progress) silent(now time.Time) bool {
	var at unix.Stat_t
	fd := int(p.terminal.Fd())
	if err := unix.Fstat(fd, &at); err != nil {
		return false
	}
	latest := time.Unix((at.Mtim.Sec/timeGrain+1)*timeGrain, 0)
	if now.Sub(latest) < silentFor {
		return false
	}
	return p.foreground(fd)
}

// inForeground reports whether this process may write to its terminal.
func inForeground(fd int) bool {
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// leave restores the title.
func (p *progress) leave() {
	if p.titled {
		_, _ = p.terminal.WriteString("\x1b[23;2t")
	}
}

// stop ends the display, and waits for that unless the terminal takes nothing.
func (p *progress) stop() {
	if p == nil {
		return
	}
	close(p.stopped)
	select {
	case <-p.done:
	case <-time.After(leaveWithin):
	}
}
