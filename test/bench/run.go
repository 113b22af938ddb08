package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// run is the whole bench.
func run(ctx context.Context, o options) (err error) {
	if o.contenders == onlyWays {
		return runWays(ctx, o)
	}
	chosen, err := choose(o.contenders)
	if err != nil {
		return err
	}
	l, err := newLab(o.procspan)
	if err != nil {
		return err
	}
	defer os.RemoveAll(l.dir)
	earlier, err := readResults(o.against)
	if err != nil {
		l.say("nothing is compared: %v", err)
	}
	if o.install {
		if err := installPeers(ctx, l.say); err != nil {
			return err
		}
	}

	r := &results{Schema: schema, Begun: time.Now().UTC().Truncate(time.Second), Quick: o.quick, Plan: o.plan}
	if r.Machine, err = thisMachine(); err != nil {
		return err
	}
	r.Versions = versions(ctx, o.procspan)
	if r.Contenders, err = l.contests(ctx, chosen, o.plan); err != nil {
		return err
	}
	if o.contenders == "" {
		if r.Build, err = l.build(ctx, o.plan); err != nil {
			return err
		}
		if r.Scale, err = l.scale(ctx, o.plan); err != nil {
			return err
		}
		if r.Ways, err = l.ways(ctx, o.plan, r.Versions["procspan"]); err != nil {
			return err
		}
	}
	r.Took = int64(time.Since(r.Begun))
	fmt.Print(report(r))
	if earlier != nil {
		fmt.Print(changes(earlier, r))
	}
	if o.contenders != "" {
		l.say("not all was measured, so %s stays as it is", o.out)
		return nil
	}
	if err := r.write(o.out); err != nil {
		return err
	}
	l.say("wrote results.json and results.svg to %s", o.out)
	if o.page == "" || o.quick {
		return nil
	}
	l.say("wrote the table to %s", o.page)
	return writePage(o.page, report(r))
}

// onlyWays is the name of the ways to send, for -only.
const onlyWays = "ways"

// runWays measures the ways to send, and puts them into the results that there are.
func runWays(ctx context.Context, o options) error {
	r, err := readResults(filepath.Join(o.out, "results.json"))
	if err != nil {
		return err
	}
	l, err := newLab(o.procspan)
	if err != nil {
		return err
	}
	defer os.RemoveAll(l.dir)
	if r.Ways, err = l.ways(ctx, o.plan, versions(ctx, o.procspan)["procspan"]); err != nil {
		return err
	}
	fmt.Print(r.Ways.table())
	if err := r.write(o.out); err != nil || o.page == "" || o.quick {
		return err
	}
	return writePage(o.page, report(r))
}

func newLab(procspan string) (*lab, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the own executable: %w", err)
	}
	dir, err := os.MkdirTemp("", "procspan-bench")
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	l := &lab{self: self, procspan: procspan, dir: dir, say: func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%4.0fs  %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
	}}
	return l, writePrograms(dir)
}

func choose(only string) (chosen []contender, err error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return nil, fmt.Errorf("-only: %w", err)
	}
	for _, c := range contenders() {
		if pattern.MatchString(c.name) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-only %s: no contender has such a name", only)
	}
	return chosen, nil
}

// packages are what the peers come in, by a program that is in each.
var packages = map[string]string{"bpftrace": "bpftrace", "execsnoop": "libbpf-tools"}

// installPeers installs what is missing, where apt-get does that, and says so.
func installPeers(ctx context.Context, say func(string, ...any)) error {
	var missing []string
	for program, name := range packages {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		say("%v is not installed, and there is no apt-get: it is left out", missing)
		return nil
	}
	say("installing %v with apt-get, to measure beside procspan (-install=false leaves it out)", missing)
	args := append([]string{"install", "-y", "-qq", "--no-install-recommends"}, missing...)
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		say("apt-get install %v: %v: it is left out\n%s", missing, err, out)
	}
	return ctx.Err()
}

// contests measures the contenders, round by round: none, the first, none, the
// second, and so on, and all of that again.
func (l *lab) contests(ctx context.Context, chosen []contender, p plan) ([]contest, error) {
	all := make([]contest, len(chosen))
	for i, c := range chosen {
		all[i] = contest{Name: c.name, Title: c.title, Absent: c.absent(ctx, l)}
		if all[i].Absent != "" {
			l.say("%s is left out: %s", c.name, all[i].Absent)
		}
	}
	if _, err := l.storm(ctx, stormName, p.Lifetimes/4); err != nil { // warms up
		return nil, err
	}
	for pair := range p.Pairs {
		for i, c := range chosen {
			if all[i].Absent != "" {
				continue
			}
			r, ready, err := l.round(ctx, c, p.Lifetimes)
			if err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", c.name, pair+1, err)
			}
			l.say("round %d/%d: %s: spawn time × %.3f, %.1f µs of CPU a lifetime, %d of %d seen",
				pair+1, p.Pairs, c.name, r.ratio(), r.cpuMicros(), r.Seen, r.Lifetimes)
			all[i].Rounds = append(all[i].Rounds, r)
			if ready > 0 {
				all[i].Ready = append(all[i].Ready, int64(ready))
			}
		}
	}
	for i, c := range chosen {
		if all[i].Absent != "" {
			continue
		}
		in, err := l.bpfRound(ctx, c, p.Lifetimes)
		if err != nil {
			return nil, fmt.Errorf("%s, round in the kernel: %w", c.name, err)
		}
		l.say("in the kernel: %s: %.2f µs a lifetime", c.name, in.micros())
		all[i].InBPF = &in
	}
	return all, nil
}

// round is a storm without and a storm with a tracer. It also returns how long
// the tracer took to get ready, if it says.
func (l *lab) round(ctx context.Context, c contender, n int) (r round, ready time.Duration, err error) {
	r.Lifetimes = n
	if r.Without, err = l.storm(ctx, stormName, n); err != nil {
		return r, 0, err
	}
	t, err := c.start(ctx, l)
	if err != nil {
		return r, 0, err
	}
	err = func() error {
		before, err := t.cpu()
		if err != nil {
			return err
		}
		receiverBefore, err := cpuTime(t.receiver.cmd.Process.Pid)
		if err != nil {
			return err
		}
		if r.With, err = l.storm(ctx, stormName, n); err != nil {
			return err
		}
		if err := t.settle(ctx, n, c.delivers); err != nil {
			return err
		}
		after, err := t.cpu()
		if err != nil {
			return err
		}
		receiverAfter, err := cpuTime(t.receiver.cmd.Process.Pid)
		if err != nil {
			return err
		}
		r.CPU, r.ReceiverCPU = int64(after-before), int64(receiverAfter-receiverBefore)
		r.RSS, r.PeakRSS, err = t.rss()
		return err
	}()
	received, ended := t.finish()
	if err != nil {
		return r, 0, err
	}
	r.Received, r.Seen = received, c.delivers(received)
	return r, t.ready, ended
}

// bpfRound is a storm with a tracer while the kernel measures its programs.
func (l *lab) bpfRound(ctx context.Context, c contender, n int) (in inBPF, err error) {
	measuring, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		return in, fmt.Errorf("have the kernel measure programs: %w", err)
	}
	defer measuring.Close()
	t, err := c.start(ctx, l)
	if err != nil {
		return in, err
	}
	in.Lifetimes = n
	err = func() error {
		before, err := t.programs()
		if err != nil {
			return err
		}
		if _, err := l.storm(ctx, stormName, n); err != nil {
			return err
		}
		after, err := t.programs()
		if err != nil {
			return err
		}
		in.Programs = since(before, after)
		return nil
	}()
	_, ended := t.finish()
	if err != nil {
		return in, err
	}
	return in, ended
}
