package process

import (
	"crypto/sha256"
	"encoding/binary"
)

// TraceID and SpanID are those of W3C Trace Context; all zero is none.
type (
	TraceID [16]byte
	SpanID  [8]byte
)

// SpanContext names one span anywhere.
type SpanContext struct {
	Trace TraceID
	Span  SpanID
}

// IsZero reports whether c names no span.
func (c SpanContext) IsZero() bool { return c == SpanContext{} }

// IDs makes span and trace ids. They are pure functions of the machine's boot
// id and a process's pid and start time, so a restart of the agent changes no
// span id, and a span that is sent twice is the same span. A trace that begins
// on this machine has the id of the process it began with.
//
// All ids are parts of SHA-256(SHA-256(boot id) ‖ pid ‖ start), the numbers in
// big-endian order: 44 bytes, which is one block. That costs 0.1 µs and settles
// every question about distribution, which samplers depend on
// (TraceIDRatioBased reads the low 8 bytes of a trace id).
type IDs struct {
	boot [sha256.Size]byte
}

// NewIDs returns the ids of one boot of one machine. The boot id is the text of
// /proc/sys/kernel/random/boot_id, without the newline.
func NewIDs(bootID string) IDs {
	return IDs{boot: sha256.Sum256([]byte(bootID))}
}

// TraceID returns the id of the trace that begins with the process p.
func (ids *IDs) TraceID(p ID) TraceID {
	sum := ids.digest(p)
	id := TraceID(sum[:16])
	if id == (TraceID{}) {
		id[15] = 1
	}
	return id
}

// SpanID returns the id of the span of the process p.
func (ids *IDs) SpanID(p ID) SpanID {
	sum := ids.digest(p)
	id := SpanID(sum[16:24]) // no byte in common with the trace id
	if id == (SpanID{}) {
		id[7] = 1
	}
	return id
}

func (ids *IDs) digest(p ID) [sha256.Size]byte {
	var msg [sha256.Size + 4 + 8]byte
	copy(msg[:], ids.boot[:])
	binary.BigEndian.PutUint32(msg[sha256.Size:], p.PID)
	binary.BigEndian.PutUint64(msg[sha256.Size+4:], p.Start)
	return sha256.Sum256(msg[:])
}
