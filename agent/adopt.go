package agent

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/procspan/procspan/enrich"
	"github.com/procspan/procspan/process"
)

// adopt takes in the processes that are alive already.
func (f *flow) adopt() error {
	living, err := f.tracer.Living()
	if err != nil {
		return err
	}
	living = slices.DeleteFunc(living, func(p process.Living) bool { return p.KernelThread || p.Ending })
	f.look(living)
	f.handOn(f.table.Adopt(living))
	return nil
}

// look adds to living processes what /proc tells of them and no event will, and
// has the output know their cgroups.
func (f *flow) look(living []process.Living) {
	for i, paths := range readLiving(living, f.argsMaxBytes, f.variables) {
		in := living[i].Groups.Cgroup
		f.out.named(in.V2, paths.v2)
		if in.V1 != in.V2 {
			f.out.named(in.V1, paths.v1)
		}
	}
}

// cgroupPaths are those of a process; "" where they are not known.
type cgroupPaths struct{ v2, v1 string }

// readLiving sets the images of processes, and returns the paths of their cgroups.
// There can be thousands, and what is read is made in the kernel: several
// processors take part.
func readLiving(living []process.Living, argsMaxBytes int, variables []string) []cgroupPaths {
	proc := enrich.NewProc("/proc")
	paths := make([]cgroupPaths, len(living))
	var next atomic.Int64
	var readers sync.WaitGroup
	for range min(8, runtime.GOMAXPROCS(0)) {
		readers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(living)); i = next.Add(1) - 1 {
				p := &living[i]
				if !p.Execed {
					p.Executable, _ = proc.Executable(p.ID)
					continue
				}
				// One that cannot be read has ended, or will do with its name only.
				p.Image, _ = proc.Image(p.ID, argsMaxBytes, variables)
				paths[i].v2, paths[i].v1, _ = proc.Cgroup(p.ID)
			}
		})
	}
	readers.Wait()
	return paths
}
