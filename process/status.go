package process

import "strconv"

// Status is a wait status as wait4 returns it: the exit status is in bits 8–15, or
// the signal in bits 0–6, with bit 7 set if core was dumped.
type Status int32

// Signal returns the number of the signal that killed the process, or 0.
func (s Status) Signal() int { return int(s & 0x7f) }

// CoreDumped reports whether the kernel wrote a core dump.
func (s Status) CoreDumped() bool { return s.Signal() != 0 && s&0x80 != 0 }

// ExitCode returns the exit code as a shell shows it: what the process passed to
// exit (0–255), or 128+n if signal n killed it.
func (s Status) ExitCode() int {
	if sig := s.Signal(); sig != 0 {
		return 128 + sig
	}
	return int(s>>8) & 0xff
}

// SignalName returns the name of the signal that killed the process as `kill -l`
// lists it, such as SIGKILL or SIGRTMIN+3, or "".
func (s Status) SignalName() string {
	switch n := s.Signal(); {
	case n == 0:
		return ""
	case n < len(signalNames):
		return signalNames[n]
	case n == sigrtmin:
		return "SIGRTMIN"
	case n > sigrtmin && n <= 64:
		return "SIGRTMIN+" + strconv.Itoa(n-sigrtmin)
	default:
		return "SIG" + strconv.Itoa(n)
	}
}

// sigrtmin is the first real-time signal that programs can use: C libraries reserve
// the kernel's first two, 32 and 33.
const sigrtmin = 34

// signalNames has the numbers of include/uapi/asm-generic/signal.h. All
// architectures share them but alpha, mips, parisc and sparc.
var signalNames = [...]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
	9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
	16: "SIGSTKFLT", 17: "SIGCHLD", 18: "SIGCONT", 19: "SIGSTOP", 20: "SIGTSTP", 21: "SIGTTIN", 22: "SIGTTOU",
	23: "SIGURG", 24: "SIGXCPU", 25: "SIGXFSZ", 26: "SIGVTALRM", 27: "SIGPROF", 28: "SIGWINCH", 29: "SIGIO",
	30: "SIGPWR", 31: "SIGSYS",
}
