package process

// Limits bound a Table. Each user is charged for his own processes, and beyond a limit
// the user with the most gives up first, so that no user makes the table forget what
// others run. Beyond Bytes, his processes lose details. Beyond Processes, his oldest
// process is evicted; its exit still gives a lifetime, from the exit alone.
type Limits struct {
	// Processes is how many running processes are kept.
	Processes int
	// Bytes is roughly how much memory their strings and re-execs take.
	Bytes int
}

// maxReexecs and maxReexecBytes bound what is kept of the execs of one process, which
// may go on for ever.
const (
	maxReexecs     = 128
	maxReexecBytes = 64 << 10
)

// account is the running processes of a user.
type account struct {
	user             uint32
	processes, bytes int
	// by lists the processes by what they can give up next.
	by [keepsReexecs + 1]queue
}

// keeping is the most dispensable detail that a process has.
type keeping uint8

// The details, from the last to the first that is given up.
const (
	keepsNothing keeping = iota
	keepsPaths
	keepsArgs
	keepsReexecs
)

// queue lists processes in the order in which they came.
type queue struct{ first, last *entry }

func (q *queue) push(e *entry) {
	e.ahead, e.behind = q.last, nil
	if q.last != nil {
		q.last.behind = e
	} else {
		q.first = e
	}
	q.last = e
}

func (q *queue) remove(e *entry) {
	if e.ahead != nil {
		e.ahead.behind = e.behind
	} else {
		q.first = e.behind
	}
	if e.behind != nil {
		e.behind.ahead = e.ahead
	} else {
		q.last = e.ahead
	}
	e.ahead, e.behind = nil, nil
}

// unknownUser pays for processes whose user is not known.
const unknownUser = ^uint32(0)

// payer returns the user who is charged for a process. User namespaces give one user a
// range of 65,536 more, from 65,536 on: a range counts as one user.
func payer(c Credentials) uint32 {
	if user := c.RealUser; user >= 1<<16 && user != unknownUser {
		return 1<<16 | user>>16
	}
	return c.RealUser
}

// charge updates the accounts after a change of e, and enforces the limits.
func (t *Table) charge(e *entry) {
	t.recount(e)
	if t.bytes > t.limits.Bytes {
		t.shed()
	}
	for len(t.living) > t.limits.Processes {
		t.evict(t.crowd().oldest())
	}
}

// recount updates the accounts after a change of e.
func (t *Table) recount(e *entry) {
	if e.account == nil || e.account.user != e.payer {
		t.uncharge(e)
		e.account = t.accounts[e.payer]
		if e.account == nil {
			e.account = &account{user: e.payer}
			t.accounts[e.payer] = e.account
		}
		e.account.processes++
		if t.crowded != nil && e.account.processes > t.crowded.processes {
			t.setCrowded(e.account)
		}
		e.account.by[e.keeps].push(e)
	}
	bytes, keeps := e.details()
	t.bytes += bytes - e.bytes
	e.account.bytes += bytes - e.bytes
	e.bytes = bytes
	if keeps != e.keeps {
		e.account.by[e.keeps].remove(e)
		e.keeps = keeps
		e.account.by[keeps].push(e)
	}
}

// uncharge takes e from its account.
func (t *Table) uncharge(e *entry) {
	a := e.account
	if a == nil {
		return
	}
	a.by[e.keeps].remove(e)
	a.processes--
	a.bytes -= e.bytes
	t.bytes -= e.bytes
	e.account, e.bytes, e.keeps = nil, 0, keepsNothing
	if a.processes == 0 {
		delete(t.accounts, a.user)
	}
}

// details returns how many bytes the strings and re-execs of a process take, and what
// it can give up next.
func (e *entry) details() (bytes int, keeps keeping) {
	bytes = e.image.size() + e.rulingBytes()
	switch {
	case len(e.reexecs) > 0:
		return bytes + reexecBytes(e.reexecs), keepsReexecs
	case e.image.Args != "" || e.image.Environment != "" || e.rulingBytes() > 0:
		return bytes, keepsArgs
	case bytes > 0:
		return bytes, keepsPaths
	}
	return bytes, keepsNothing
}

// shed makes processes give up details until a sixteenth of the limit is free. That
// much is room for many events, so that looking for the account costs little.
func (t *Table) shed() {
	most := t.limits.Bytes - t.limits.Bytes/16
	for t.bytes > most {
		fattest := t.largest(func(a *account) int { return a.bytes })
		for keeps := keepsReexecs; keeps > keepsNothing; keeps-- {
			for e := fattest.by[keeps].first; e != nil && t.bytes > most; e = fattest.by[keeps].first {
				e.giveUp()
				t.recount(e)
				t.stats.Shed++
			}
		}
	}
}

// giveUp drops the most dispensable details of a process.
func (e *entry) giveUp() {
	switch im := &e.image; e.keeps {
	case keepsReexecs:
		e.reexecsDropped += len(e.reexecs)
		e.reexecs = nil
	case keepsArgs:
		im.ArgsCut = im.ArgsCut || im.Args != ""
		im.EnvironmentCut = im.EnvironmentCut || im.Environment != ""
		im.Args, im.Environment = "", ""
		e.giveUpRuling()
	case keepsPaths:
		im.PathCut = true
		im.Filename, im.Script, im.Executable, im.WorkingDirectory = "", "", "", ""
	}
}

// largest returns the account with the most, of which there is at least one.
func (t *Table) largest(size func(*account) int) (most *account) {
	for _, a := range t.accounts {
		if most == nil || size(a) > size(most) || size(a) == size(most) && a.user > most.user {
			most = a
		}
	}
	return most
}

// crowd returns the account with the most processes, or one that had the most and has
// lost less than a sixteenth since, so that most calls need not look for it.
func (t *Table) crowd() *account {
	if t.crowded == nil || t.crowded.processes <= t.crowdedLeast {
		t.setCrowded(t.largest(func(a *account) int { return a.processes }))
	}
	return t.crowded
}

func (t *Table) setCrowded(a *account) {
	t.crowded, t.crowdedLeast = a, a.processes-a.processes/16-1
}

// oldest returns the oldest process of those that have been longest at what they keep.
func (a *account) oldest() (oldest *entry) {
	for _, q := range a.by {
		if e := q.first; e != nil && (oldest == nil || e.id.Start < oldest.id.Start) {
			oldest = e
		}
	}
	return oldest
}

func (t *Table) evict(e *entry) {
	t.stats.Evicted++
	if e.span != nil {
		t.stats.Forgotten++
	}
	t.drop(e)
}
