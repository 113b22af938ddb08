package agent

import (
	"os"
	"runtime"
	"strconv"
	"strings"
)

// onlineCPUs returns how many CPUs can run processes. procspan itself may be
// confined to some of them.
func onlineCPUs() int {
	list, err := os.ReadFile("/sys/devices/system/cpu/online")
	if n := countCPUs(strings.TrimSpace(string(list))); err == nil && n > 0 {
		return n
	}
	return runtime.NumCPU()
}

// countCPUs returns how many CPUs are in a list such as "0-3,8"; 0 for what is
// not one.
func countCPUs(list string) (n int) {
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		if err != nil || err2 != nil || last < first {
			return 0
		}
		n += last - first + 1
	}
	return n
}
