package main

import (
	"os"
	"runtime"
)

// fewProcessors bounds the processors that procspan's own Go code runs on at a
// time, unless GOMAXPROCS in the environment says otherwise: one, and one more
// for each 16 of the machine. One goroutine does nearly all the work, and one
// processor is enough for 100,000 processes a second. Any further one that is
// idle goes looking for work whenever something wakes, which on two CPUs cost
// another tenth of all that the agent does.
//
// The collector of garbage is left as it is: with GOGC=200 the agent would use
// a tenth less CPU under a storm, and as much more memory as its heap holds.
func fewProcessors() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1 + runtime.NumCPU()/16)
	}
}
