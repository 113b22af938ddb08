package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// guestLimit bounds one guest, from boot to power-off.
const guestLimit = 45 * time.Minute

// options are those of the command line.
type options struct {
	only    string
	run     string
	count   int
	jobs    int
	cpus    int // of a guest
	cuts    int
	install int
	page    string
	check   bool
	verbose bool
}

// guest is one virtual machine.
type guest struct {
	kernel    kernel
	vmlinuz   string
	initramfs string
	say       func(format string, args ...any) // progress
}

// boot runs the suites on the guest's kernel. It boots a second time if the kernel
// panics before init runs: that is a fault of the emulation. It also does so if a CPU
// was stuck in the kernel (6.1 was once, while a pid namespace ended) and nothing had
// failed, and shows what the CPU did. A BPF program cannot have been the reason: it
// runs in a read-side critical section of RCU, which would have stalled. (Without
// preemptible RCU, as in 5.10 and on arm64, it always stalls: no second boot there.)
func (g guest) boot(ctx context.Context, o options) report {
	r := g.bootOnce(ctx, o)
	switch {
	case r.panic == "" || ctx.Err() != nil:
		return r
	case !r.started:
		g.say("panicked before init ran (%s); booting it once more", r.panic)
	case strings.HasPrefix(r.panic, "softlockup") && !strings.Contains(r.console.String(), "rcu: INFO: ") && !r.anyFailed():
		g.say("a CPU was stuck for two minutes; booting it once more. It printed:\n%s", tail(r.console.String(), 200))
	default:
		return r
	}
	return g.bootOnce(ctx, o)
}

// watchdog makes the kernel panic when a CPU is stuck for twice watchdog_thresh seconds.
const watchdog = " softlockup_panic=1 watchdog_thresh=60"

func (g guest) bootOnce(ctx context.Context, o options) (r report) {
	ctx, cancel := context.WithTimeout(ctx, guestLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, g.kernel.arch.qemu, g.args(o)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.failure = err
		return r
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		r.failure = fmt.Errorf("start %s: %w", g.kernel.arch.qemu, err)
		return r
	}
	begin := time.Now()
	readError := r.read(out, func(line string) {
		switch {
		case o.verbose:
			g.say("| %s", line)
		case strings.Contains(line, "GUEST "):
			_, what, _ := strings.Cut(line, "GUEST ")
			g.say("%s (after %s)", strings.ToLower(what), time.Since(begin).Round(time.Second))
		}
	})
	if readError != nil { // QEMU must not block on a full pipe
		cancel()
		_, _ = io.Copy(io.Discard, out)
	}
	err = cmd.Wait()
	switch {
	case r.failure != nil: // reported by the guest
	case readError != nil:
		r.failure = readError
	case ctx.Err() != nil:
		r.failure = fmt.Errorf("the guest did not end in %s: %w", time.Since(begin).Round(time.Second), ctx.Err())
	case err != nil:
		r.failure = fmt.Errorf("%s: %w", g.kernel.arch.qemu, err)
	}
	return r
}

// args of QEMU.
func (g guest) args(o options) []string {
	var commands []string
	for _, s := range suites() {
		command := []string{"/" + s.name + ".test", "-test.v", "-test.timeout=40m", fmt.Sprintf("-test.count=%d", o.count)}
		if o.run != "" {
			command = append(command, "-test.run="+o.run)
		}
		commands = append(commands, strings.Join(append(command, s.args...), " "))
	}
	return append([]string{
		"-accel", "tcg,thread=multi", "-smp", strconv.Itoa(o.cpus), "-m", "1536", "-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio",
		"-kernel", g.vmlinuz, "-initrd", g.initramfs,
		"-append", g.kernel.arch.boot + " quiet panic=-1 oops=panic" + watchdog + " -- " + g.kernel.cgroups + " " + strings.Join(commands, " --then "),
	}, g.kernel.arch.args...)
}
