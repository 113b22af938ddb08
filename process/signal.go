package process

import "strconv"

// SignalName returns the name of the signal that killed the process as `kill
// -l` lists it, SIGKILL or SIGRTMIN+3, and "" when none did.
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

// sigrtmin is the first real-time signal a program can use: the C libraries
// keep the kernel's first two, 32 and 33, to themselves.
const sigrtmin = 34

// signalNames are the numbers of include/uapi/asm-generic/signal.h, which
// amd64, arm64 and all other architectures but alpha, mips, parisc and sparc
// share.
var signalNames = [...]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
	9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
	16: "SIGSTKFLT", 17: "SIGCHLD", 18: "SIGCONT", 19: "SIGSTOP", 20: "SIGTSTP", 21: "SIGTTIN", 22: "SIGTTOU",
	23: "SIGURG", 24: "SIGXCPU", 25: "SIGXFSZ", 26: "SIGVTALRM", 27: "SIGPROF", 28: "SIGWINCH", 29: "SIGIO",
	30: "SIGPWR", 31: "SIGSYS",
}
