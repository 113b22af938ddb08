package process

// program is which executable a process runs. That is not that of its image where it
// has executed nothing, and runs what the process did that it was forked from.
type program struct {
	// execID is the kernel's count of its execs, as of the last event that had it.
	execID uint64
	// now is what it runs since, and before what it ran until the last exec; "" where
	// that is not known.
	now, before string
}

// exec takes the next program that is told of.
func (p *program) exec(execID uint64, executable string) {
	switch {
	case execID < p.execID: // the list of the living shows what came after this exec
		return
	case execID == p.execID: // or this one
		p.now = executable
	case execID == p.execID+1:
		p.now, p.before = executable, p.now
	default: // others were lost
		p.now, p.before = executable, ""
	}
	p.execID = execID
}

// fork returns the program of a child that was forked after so many execs.
func (p *program) fork(execID uint64) program {
	return program{execID: execID, now: p.after(execID)}
}

// after returns what it ran after so many execs.
func (p *program) after(execID uint64) string {
	switch execID {
	case p.execID:
		return p.now
	case p.execID - 1:
		return p.before
	}
	return ""
}
