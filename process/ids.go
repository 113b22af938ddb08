package process

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
)

// TraceID and SpanID are ids of W3C Trace Context; all zero is none.
type (
	TraceID [16]byte
	SpanID  [8]byte
)

// MarshalText returns the id in hexadecimal.
func (id TraceID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }
func (id SpanID) MarshalText() ([]byte, error)  { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText reads what MarshalText returns.
func (id *TraceID) UnmarshalText(text []byte) error { return unhex(id[:], text) }
func (id *SpanID) UnmarshalText(text []byte) error  { return unhex(id[:], text) }

func unhex(id, text []byte) error {
	if hex.DecodedLen(len(text)) != len(id) {
		return errors.New("an id has another length")
	}
	_, err := hex.Decode(id, text)
	return err
}

// random returns the randomness of a trace id by W3C Trace Context Level 2: its last 56
// bits.
func (id TraceID) random() uint64 { return binary.BigEndian.Uint64(id[8:]) & (1<<56 - 1) }

// SpanContext identifies a span anywhere.
type SpanContext struct {
	Trace TraceID
	Span  SpanID
}

// IsZero reports whether c identifies no span.
func (c SpanContext) IsZero() bool { return c == SpanContext{} }

// IDs computes span and trace ids. They are pure functions of the boot id of the
// machine and the pid and start time of a process. So a restart of the agent changes
// no id, and a span that is sent twice is the same span. The id of a trace that
// begins on this machine is computed from its first process.
//
// All ids are parts of SHA-256(SHA-256(boot id) ‖ pid ‖ start), the numbers in
// big-endian order: 44 bytes, which fit one block. That costs 0.1 µs and spreads ids
// evenly, which samplers depend on (TraceIDRatioBased reads the low 8 bytes of a
// trace id).
type IDs struct {
	boot [sha256.Size]byte
}

// NewIDs returns the ids of one boot of one machine. The boot id is the content of
// /proc/sys/kernel/random/boot_id without the newline.
func NewIDs(bootID string) IDs {
	return IDs{boot: sha256.Sum256([]byte(bootID))}
}

// TraceID returns the id of the trace that begins with process p.
func (ids *IDs) TraceID(p ID) TraceID {
	sum := ids.digest(p)
	id := TraceID(sum[:16])
	if id == (TraceID{}) {
		id[15] = 1
	}
	return id
}

// SpanID returns the id of the span of process p.
func (ids *IDs) SpanID(p ID) SpanID {
	sum := ids.digest(p)
	id := SpanID(sum[16:24]) // shares no byte with the trace id
	if id == (SpanID{}) {
		id[7] = 1
	}
	return id
}

func (ids *IDs) digest(p ID) [sha256.Size]byte {
	var msg [sha256.Size + 4 + 8]byte
	copy(msg[:], ids.boot[:])
	binary.BigEndian.PutUint32(msg[sha256.Size:], p.PID)
	binary.BigEndian.PutUint64(msg[sha256.Size+4:], uint64(p.Start))
	return sha256.Sum256(msg[:])
}
