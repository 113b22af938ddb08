package raw

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	imageBase  = 0x400000
	imageSize  = 256 << 10
	headerSize = 64 + 56
	pageSize   = 64 << 10 // the largest of the architectures
)

// loopEnd follows the machine code of the loop (loop_*.s).
const loopEnd = "procspan"

// ELF returns a static program that maps the shared memory, if it has inherited it, and
// then executes the steps that body adds. A program that comes to the end of body is broken.
func ELF(body func(*Block)) []byte {
	a := &arena{base: imageBase, buf: make([]byte, imageSize), used: headerSize}
	entry := a.put(append(enter(0), loopCode()...))
	b := &Block{arena: a}
	b.Try(unix.SYS_MMAP, N(sharedBase), N(sharedSize), N(unix.PROT_READ|unix.PROT_WRITE),
		N(unix.MAP_SHARED|unix.MAP_FIXED), N(sharedFD), N(0))
	body(b)
	steps := b.finish(step{nr: unix.SYS_EXIT_GROUP, args: [6]uintptr{StatusBroken}})
	copy(a.buf[entry-imageBase:], enter(steps))
	copy(a.buf, header(uint64(entry), uint64(a.used)))
	return a.buf[:a.used]
}

// loopCode is the machine code of the loop, which runs wherever it is put.
func loopCode() []byte {
	addr := loopAddr()
	code := unsafe.Slice(*(**byte)(unsafe.Pointer(&addr)), 4096)
	return code[:bytes.Index(code, []byte(loopEnd))]
}

// enter is the machine code that loads the address of the steps into the
// register where the loop wants it.
func enter(steps uintptr) []byte {
	switch runtime.GOARCH {
	case "amd64": // MOVABS $steps, R12
		return binary.LittleEndian.AppendUint64([]byte{0x49, 0xbc}, uint64(steps))
	case "arm64": // MOVZ $low, R19; MOVK $high<<16, R19
		low, high := uint32(steps&0xffff), uint32(steps>>16&0xffff)
		code := binary.LittleEndian.AppendUint32(nil, 0xd2800000|low<<5|19)
		return binary.LittleEndian.AppendUint32(code, 0xf2a00000|high<<5|19)
	}
	panic("scenario/raw: not written for " + runtime.GOARCH)
}

func header(entry, size uint64) []byte {
	machine := elf.EM_X86_64
	if runtime.GOARCH == "arm64" {
		machine = elf.EM_AARCH64
	}
	var out bytes.Buffer
	for _, part := range []any{
		elf.Header64{
			Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
			Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
			Entry: entry, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
		},
		elf.Prog64{
			Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W | elf.PF_X),
			Vaddr: imageBase, Paddr: imageBase, Filesz: size, Memsz: size, Align: pageSize,
		},
	} {
		// A bytes.Buffer takes everything.
		_ = binary.Write(&out, binary.LittleEndian, part)
	}
	return out.Bytes()
}
