package main

import (
	"os"
	"runtime"
)

// fewProcessors sets GOMAXPROCS, unless the environment does: to one, plus one for
// each 16 CPUs. One goroutine does nearly all the work, and one CPU is enough for
// 100,000 processes a second. A further, idle one searches for work at each wake-up:
// on two CPUs that cost another tenth of the agent's CPU time.
//
// The garbage collector keeps its default: GOGC=200 would save a tenth of the CPU
// time in a storm, and double the heap.
func fewProcessors() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1 + runtime.NumCPU()/16)
	}
}
