// Command kernels runs procspan's kernel tests on several kernels: it boots
// each under QEMU, in software emulation, with an initramfs that holds the
// static test binaries, and prints how many tests pass on which kernel. It exits
// 1 when a test fails, does not run on each kernel, or is skipped without standing
// in the list of exceptions (list.go), and when a kernel panics. A page that has
// the table is brought up to date, or compared with it.
//
// Kernels are Debian's packages, fetched by apt into a cache. Nothing is
// installed. Run it in the module's root folder.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.only, "only", "", "run the kernels whose name matches this `regexp`")
	flag.StringVar(&o.run, "run", "", "run the tests that match this `regexp`, as go test does")
	flag.IntVar(&o.count, "count", 1, "run each test this many times")
	flag.IntVar(&o.jobs, "j", 2, "boot this many guests at a time")
	flag.IntVar(&o.cpus, "cpus", 2, "give a guest this many CPUs")
	flag.IntVar(&o.cuts, "powercut", 0, "instead of the tests, cut the power of a guest that writes to its disk `this many` times, and check what is left")
	flag.IntVar(&o.install, "install", 0, "instead of the tests, install the package on a Debian that systemd boots, and upgrade it while `this many` processes come and go")
	flag.StringVar(&o.page, "page", "", "after a run of all tests on all kernels that pass, write the table into this `file`, between <!-- kernels --> and <!-- /kernels -->")
	flag.BoolVar(&o.check, "check", false, "do not write the page: fail when it claims more than the run has shown")
	flag.BoolVar(&o.verbose, "v", false, "show what the guests print")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "kernels:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	chosen, err := o.kernels()
	if err != nil {
		return err
	}
	if err := needTools(chosen); err != nil {
		return err
	}
	userCache, err := os.UserCacheDir()
	if err != nil {
		return fmt.Errorf("find the cache directory: %w", err)
	}
	cache := filepath.Join(userCache, "procspan-kernels")
	work, err := os.MkdirTemp("", "procspan-kernels")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)

	if o.cuts > 0 {
		return cutPower(ctx, o, cache, work)
	}
	if o.install > 0 {
		return install(ctx, o, cache, work)
	}
	files := make([]string, len(chosen))
	for i, k := range chosen {
		if files[i], err = fetch(ctx, cache, work, k); err != nil {
			return err
		}
	}
	images, err := buildImages(ctx, work, chosen)
	if err != nil {
		return err
	}
	reports := make([]report, len(chosen))
	var wait sync.WaitGroup
	slots := make(chan struct{}, o.jobs)
	for i, k := range slices.Backward(chosen) { // arm64, the slowest to emulate, first
		slots <- struct{}{}
		say := func(format string, args ...any) { fmt.Printf(k.name+": "+format+"\n", args...) }
		say("booting")
		wait.Go(func() {
			defer func() { <-slots }()
			begin := time.Now()
			reports[i] = guest{k, files[i], images[k.arch], say}.boot(ctx, o)
			say("done after %s", time.Since(begin).Round(time.Second))
		})
	}
	wait.Wait()
	v, err := judge(chosen, reports, exceptions(), o.run == "")
	fmt.Printf("\n%s", v.table())
	for i, k := range chosen {
		if reports[i].failed() {
			fmt.Printf("\n%s printed:\n%s\n", k.name, tail(reports[i].console.String(), 1000))
		}
	}
	if err != nil || o.page == "" || o.run != "" || len(chosen) < len(kernels()) {
		return err
	}
	return v.publish(o.page, o.check)
}

// kernels returns the kernels that the options select.
func (o options) kernels() (chosen []kernel, err error) {
	pattern, err := regexp.Compile(o.only)
	if err != nil {
		return nil, fmt.Errorf("-only: %w", err)
	}
	if strings.ContainsAny(o.run, " \t\n\"") { // it goes through a kernel's command line
		return nil, fmt.Errorf("-run %q: a space or a quotation mark cannot be passed to a guest; write . for it", o.run)
	}
	if o.jobs < 1 || o.count < 1 || o.cpus < 1 {
		return nil, fmt.Errorf("-j, -count and -cpus must be at least 1 (got %d, %d and %d)", o.jobs, o.count, o.cpus)
	}
	for _, k := range kernels() {
		if pattern.MatchString(k.name) {
			chosen = append(chosen, k)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-only %q matches no kernel", o.only)
	}
	return chosen, nil
}

// needTools returns an error that names the missing packages.
func needTools(chosen []kernel) error {
	packages := map[string]string{"dpkg-deb": "dpkg", "apt-get": "apt"}
	for _, k := range chosen {
		packages[k.arch.qemu] = k.arch.qemuPackage
	}
	var missing []error
	for _, tool := range slices.Sorted(maps.Keys(packages)) {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, fmt.Errorf("%s is not installed; on Debian: apt-get install %s", tool, packages[tool]))
		}
	}
	return errors.Join(missing...)
}
