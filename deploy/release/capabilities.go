package main

import (
	"encoding/binary"
	"strings"

	"golang.org/x/sys/unix"
)

// capabilities are what the container needs, in the words of docker run --cap-add.
var capabilities = []struct {
	name string
	bit  int
}{
	{"BPF", unix.CAP_BPF},
	{"PERFMON", unix.CAP_PERFMON},
	{"SYS_PTRACE", unix.CAP_SYS_PTRACE},
	{"DAC_READ_SEARCH", unix.CAP_DAC_READ_SEARCH},
}

// capabilityNames is what the image's label says.
func capabilityNames() string {
	var names []string
	for _, c := range capabilities {
		names = append(names, c.name)
	}
	return strings.Join(names, ",")
}

// fileCapabilities returns the extended attribute security.capability that setcap
// writes for these as NAME=ep: struct vfs_cap_data of linux/capability.h, revision 2,
// with the effective bit.
func fileCapabilities() []byte {
	const revision2, effective = 0x02000000, 1
	var permitted uint64
	for _, c := range capabilities {
		permitted |= 1 << c.bit
	}
	b := binary.LittleEndian.AppendUint32(nil, revision2|effective)
	b = binary.LittleEndian.AppendUint32(b, uint32(permitted))
	b = binary.LittleEndian.AppendUint32(b, 0) // inheritable
	b = binary.LittleEndian.AppendUint32(b, uint32(permitted>>32))
	return binary.LittleEndian.AppendUint32(b, 0)
}
