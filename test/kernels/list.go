package main

import (
	"regexp"
	"slices"
)

// arch is an emulated machine.
type arch struct {
	goarch      string
	debian      string
	qemu        string
	qemuPackage string
	args        []string // of QEMU
	boot        string   // parameters of the kernel
}

// kernel is one kernel to test on.
type kernel struct {
	name    string
	arch    *arch
	suite   string // of Debian
	meta    string // package that depends on the newest build
	cgroups string // what the guest mounts: "v1", "v2", or "hybrid" for v1 with v2 beside it
}

// suite is a package whose tests run in the guests.
type suite struct {
	name   string
	folder string // from the module's root
	args   []string
}

// exception names tests that some kernels or their guests cannot run.
type exception struct {
	test    string // a regular expression for the whole of "suite/Test"
	kernels []string
	reason  string
}

func kernels() []kernel {
	amd64 := &arch{
		goarch: "amd64", debian: "amd64", qemu: "qemu-system-x86_64", qemuPackage: "qemu-system-x86",
		// QEMU 7.2 sometimes leaves wrong flags after cmpxchg16b; 6.12 then dies of
		// a double fault in kmalloc. Without cx16 the kernel avoids the instruction.
		// Without erms and fsrm it copies by words, which are fewer instructions to
		// emulate than bytes.
		args: []string{"-cpu", "max,-cx16,-erms,-fsrm"},
		// On a busy host the emulated timer can be so late that the kernel takes it
		// for broken and panics.
		boot: "console=ttyS0 no_timer_check lockdown=integrity mitigations=off",
	}
	arm64 := &arch{
		goarch: "arm64", debian: "arm64", qemu: "qemu-system-aarch64", qemuPackage: "qemu-system-arm",
		// The architecture's own pointer authentication is very slow to emulate.
		args: []string{"-machine", "virt", "-cpu", "max,pauth-impdef=on"},
		boot: "console=ttyAMA0 lockdown=integrity mitigations=off",
	}
	return []kernel{
		{name: "5.10", arch: amd64, suite: "bullseye", meta: "linux-image-cloud-amd64", cgroups: "v1"},
		{name: "6.1", arch: amd64, suite: "bookworm", meta: "linux-image-cloud-amd64", cgroups: "hybrid"},
		{name: "6.12", arch: amd64, suite: "trixie", meta: "linux-image-cloud-amd64", cgroups: "v2"},
		{name: "6.1-arm64", arch: arm64, suite: "bookworm", meta: "linux-image-cloud-arm64", cgroups: "v2"},
	}
}

// kernelNamed returns one of them.
func kernelNamed(name string) kernel {
	all := kernels()
	return all[slices.IndexFunc(all, func(k kernel) bool { return k.name == name })]
}

// suites lists what runs in each guest, in this order.
func suites() []suite {
	return []suite{
		{name: "bpf", folder: "./bpf", args: []string{"-emulated"}},
		// Emulation is slow: some hundred processes a second.
		{name: "scenario", folder: "./test/scenario", args: []string{"-lives=2000", "-emulated"}},
	}
}

// suiteNames lists their names.
func suiteNames() (names []string) {
	for _, s := range suites() {
		names = append(names, s.name)
	}
	return names
}

// exceptions lists them all; every other test must pass on every kernel.
func exceptions() []exception {
	return []exception{{
		test:    "bpf/TestOneExitPerProcess/group_dead=true",
		kernels: []string{"5.10", "6.1", "6.12", "6.1-arm64"},
		reason:  "the exit tracepoint of this kernel does not pass group_dead",
	}, {
		test:    "scenario/TestTraces/born_in_cgroup",
		kernels: []string{"5.10"},
		reason:  "a process can be born in a cgroup of version 2 only (clone3)",
	}, {
		test:    `bpf/Test(CgroupPaths/version_1,_\d+_deep|Groups/a_cgroup_of_version_1)`,
		kernels: []string{"6.12", "6.1-arm64"},
		reason:  "this guest has cgroups of version 2 alone",
	}, {
		test:    `bpf/Test(CgroupPaths/version_2,_\d+_deep|Groups/a_cgroup_of_version_2)`,
		kernels: []string{"5.10"},
		reason:  "this guest has cgroups of version 1 alone",
	}}
}

// pattern matches the tests that the exception is about.
func (e exception) pattern() *regexp.Regexp { return regexp.MustCompile("^(?:" + e.test + ")$") }
