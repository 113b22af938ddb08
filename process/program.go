package process

// program is the file that a process runs. A process that has executed nothing runs
// the file of the process that it was forked from.
type program struct {
	// execID is the kernel's count of execs, as of the last event that had it.
	execID uint64
	// now is the file since the last exec, before the one until then; "" if unknown.
	now, before string
}

// exec notes an exec. Running processes that were listed may be ahead of their
// events.
func (p *program) exec(execID uint64, executable string) {
	switch {
	case execID < p.execID:
		return
	case execID == p.execID:
		p.now = executable
	case execID == p.execID+1:
		p.now, p.before = executable, p.now
	default: // execs in between were lost
		p.now, p.before = executable, ""
	}
	p.execID = execID
}

// fork returns the program of a child that was forked after execID execs.
func (p *program) fork(execID uint64) program {
	return program{execID: execID, now: p.after(execID)}
}

// after returns the file that ran after execID execs, "" if unknown.
func (p *program) after(execID uint64) string {
	switch execID {
	case p.execID:
		return p.now
	case p.execID - 1:
		return p.before
	}
	return ""
}
