package bpf

import (
	"fmt"
	"strings"
)

func checkVariables(names []string) error {
	if len(names) > maxVariables {
		return fmt.Errorf("capture environment variables: at most %d names (got %d)", maxVariables, len(names))
	}
	for _, name := range names {
		if name == "" || len(name) > maxVariableName || strings.ContainsAny(name, "=\x00") {
			return fmt.Errorf("capture environment variables: a name is 1 to %d bytes, none of them '=' or NUL (got %q)", maxVariableName, name)
		}
	}
	return nil
}

// searched returns the names as the BPF programs compare them, each followed by '=';
// the set of their first bytes c, as bits c%64; and the two bytes that all of them
// begin with, each repeated eight times, or zeros.
func searched(names []string) (terms [maxVariables][maxVariableName + 1]byte, firsts uint64, prefix [2]uint64) {
	alike := len(names) > 0
	for i, name := range names {
		copy(terms[i][:], name+"=")
		firsts |= 1 << (name[0] % 64)
		alike = alike && [2]byte(terms[i][:2]) == [2]byte(terms[0][:2])
	}
	if alike {
		const each = 0x0101010101010101
		prefix = [2]uint64{each * uint64(terms[0][0]), each * uint64(terms[0][1])}
	}
	return terms, firsts, prefix
}

// variableLimits returns the largest size of each variable, as NAME=value and a NUL,
// and which of them are TRACEPARENT and TRACESTATE: those beyond the last, if none.
func variableLimits(names []string) (limits [maxVariables]uint32, traceparent, tracestate uint32) {
	traceparent, tracestate = uint32(maxVariables), uint32(maxVariables)
	for i, name := range names {
		limit := maxValue
		switch name {
		case "TRACEPARENT":
			traceparent, limit = uint32(i), int(procspanWireBoundTRACEPARENT_SIZE)
		case "TRACESTATE":
			tracestate, limit = uint32(i), int(procspanWireBoundTRACESTATE_MAX)
		}
		limits[i] = uint32(len(name) + len("=") + limit + len("\x00"))
	}
	return limits, traceparent, tracestate
}
