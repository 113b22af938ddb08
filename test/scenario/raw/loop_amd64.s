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
TEXT ·run(SB), NOSPLIT, $0-8
	MOVQ steps+0(FP), R12
	JMP  ·loop(SB)

// func loopAddr() uintptr
TEXT ·loopAddr(SB), NOSPLIT, $0-8
	LEAQ ·loop(SB), AX
	MOVQ AX, ret+0(FP)
	RET

// Argument i to its register: the number itself, or what is at that address.
#define ARG(i, reg) \
	MOVQ (ARGS+8*i)(R12), reg \
	BTQ  $i, R13              \
	JCC  2(PC)                \
	MOVQ (reg), reg

// func loop()
// R12 is the current step, and stays so across a system call. No stack, no
// calls: a child or a thread goes on here with the stack of its parent.
TEXT ·loop(SB), NOSPLIT|NOFRAME, $0-0
next:
	MOVQ LOAD(R12), R13
	ARG(0, DI)
	ARG(1, SI)
	ARG(2, DX)
	ARG(3, R10)
	ARG(4, R8)
	ARG(5, R9)
	MOVQ NR(R12), AX
	CMPQ AX, $0
	JLT  pseudo
	SYSCALL
	CMPQ AX, $-4 // EINTR
	JEQ  next
	CMPQ AX, $0
	JEQ  zero
store:
	MOVQ  OUT(R12), R13
	TESTQ R13, R13
	JEQ   2(PC)
	MOVQ  AX, (R13)
	CMPQ  AX, $-4095
	JCS   advance // not an error
	MOVQ  ONERROR(R12), R13
	TESTQ R13, R13
	JEQ   advance
	MOVQ  R13, R12
	JMP   next
zero:
	MOVQ  ONZERO(R12), R13
	TESTQ R13, R13
	JEQ   store
	MOVQ  R13, R12
	JMP   next
pseudo:
	CMPQ AX, $-1
	JEQ  end
	CMPQ AX, $-2
	JEQ  spin
	CMPQ AX, $-3
	JEQ  atomic
	CMPQ AX, $-5
	JEQ  set
	MOVQ (DI), AX // opFault
	JMP  advance
atomic:
	LOCK
	ADDQ SI, (DI)
	JMP  advance
set:
	MOVQ SI, (DI)
	JMP  advance
spin:
	PAUSE
	MOVQ (DI), AX
	CMPQ AX, SI
	JLT  spin
advance:
	ADDQ $SIZE, R12
	JMP  next
end:
	RET
	BYTE $'p'; BYTE $'r'; BYTE $'o'; BYTE $'c'
	BYTE $'s'; BYTE $'p'; BYTE $'a'; BYTE $'n'
