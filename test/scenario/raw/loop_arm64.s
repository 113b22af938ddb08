#include "textflag.h"

// The layout of step, see block.go.
#define NR      0
#define ARGS    8
#define LOAD    56
#define OUT     64
#define ONZERO  72
#define ONERROR 80
#define SIZE    88

// func run(steps uintptr)
TEXT ·run(SB), NOSPLIT|NOFRAME, $0-8
	MOVD steps+0(FP), R19
	JMP  ·loop(SB)

// func loopAddr() uintptr
TEXT ·loopAddr(SB), NOSPLIT|NOFRAME, $0-8
	MOVD $·loop(SB), R0
	MOVD R0, ret+0(FP)
	RET

// Argument i to its register: the number itself, or what is at that address.
#define ARG(i, reg) \
	MOVD (ARGS+8*i)(R19), reg \
	TBZ  $i, R20, 2(PC)       \
	MOVD (reg), reg

// func loop()
// R19 is the current step, and stays so across a system call. No stack, no
// calls: a child or a thread goes on here with the stack of its parent.
TEXT ·loop(SB), NOSPLIT|NOFRAME, $0-0
next:
	MOVD LOAD(R19), R20
	ARG(0, R0)
	ARG(1, R1)
	ARG(2, R2)
	ARG(3, R3)
	ARG(4, R4)
	ARG(5, R5)
	MOVD NR(R19), R8
	TBNZ $63, R8, pseudo
	SVC
	CMN  $4, R0 // EINTR
	BEQ  next
	CBZ  R0, zero
store:
	MOVD OUT(R19), R20
	CBZ  R20, 2(PC)
	MOVD R0, (R20)
	CMN  $4095, R0
	BCC  advance // not an error
	MOVD ONERROR(R19), R20
	CBZ  R20, advance
	MOVD R20, R19
	JMP  next
zero:
	MOVD ONZERO(R19), R20
	CBZ  R20, store
	MOVD R20, R19
	JMP  next
pseudo:
	CMN  $1, R8
	BEQ  end
	CMN  $2, R8
	BEQ  spin
	CMN  $3, R8
	BEQ  atomic
	CMN  $5, R8
	BEQ  set
	MOVD (R0), R0 // opFault
	JMP  advance
atomic:
	LDAXR (R0), R6
	ADD   R1, R6
	STLXR R6, (R0), R7
	CBNZ  R7, atomic
	JMP   advance
set:
	STLR R1, (R0)
	JMP  advance
spin:
	LDAR (R0), R6
	CMP  R1, R6
	BLT  spin
advance:
	ADD $SIZE, R19
	JMP next
end:
	RET
	WORD $0x636f7270 // "proc"
	WORD $0x6e617073 // "span"
