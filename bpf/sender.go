package bpf

import "github.com/procspan/procspan/process"

// SentBySomebody reports whether a process sent the last signal of a number to this
// one, and whether it sent it to a child as well, as kill(2) does to a process group.
// A terminal is no process. It is for a Tracer with OnlyDescendants, after FollowChild;
// any goroutine may call it until Close.
func (t *Tracer) SentBySomebody(signal int, child process.ID) (toUs, toBoth bool) {
	ours, ok := t.lastSignal(t.self, signal)
	if !ok {
		return false, false
	}
	theirs, ok := t.lastSignal(child, signal)
	return true, ok && theirs == ours
}

// lastSignal returns who sent the last signal of a number to a process; ok is false
// if that was no process.
func (t *Tracer) lastSignal(to process.ID, signal int) (sender procspanLastSignal, ok bool) {
	key := procspanSignalKey{Start: uint64(to.Start), Pid: to.PID, Signal: uint32(signal)}
	return sender, t.objects.Signals.Lookup(key, &sender) == nil
}
