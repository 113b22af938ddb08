package bpf

import (
	"crypto/sha256"
	"encoding/hex"
)

// ProgramsHash returns the SHA-256 of the compiled BPF programs that are part of
// this binary, in hex. Two binaries with the same hash run the same code in the
// kernel.
func ProgramsHash() string {
	sum := sha256.Sum256(_ProcspanBytes)
	return hex.EncodeToString(sum[:])
}
