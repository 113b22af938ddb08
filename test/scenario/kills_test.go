package scenario

import (
	"slices"
	"testing"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/process"
)

// kills lists the scenarios of processes that are killed, or nearly.
func kills(t *testing.T, c cgroup) []told {
	const limit = 16 << 20
	c.limitMemory(t, limit)
	hungry := want{label: "child", name: "hungry", code: 137, signal: "SIGKILL", oom: true, root: true}
	if tellsLimit(t) {
		hungry.limit = limit
	}
	victim := func(code int, signal, killer string) want {
		return want{label: "victim", name: "victim", code: code, signal: signal, killer: killer}
	}
	killer, other := want{label: "killer", name: "killer"}, want{label: "other", name: "other"}
	orphan, fault := victim(137, "SIGKILL", "parent"), victim(139, "SIGSEGV", "killer")
	orphan.under, fault.core = "parent", true
	return []told{
		{scenario: "killed", want: []want{victim(137, "SIGKILL", "killer"), killer}},
		{scenario: "killed by a fork", want: []want{victim(137, "SIGKILL", "killer"), {label: "parent", name: "parent", waits: []string{"killer"}}}},
		{scenario: "killed in a thread", want: []want{victim(138, "SIGUSR1", "killer"), killer}},
		{scenario: "killed later", want: []want{victim(143, "SIGTERM", "killer"), killer}},
		{scenario: "killed at last", want: []want{victim(143, "SIGTERM", "killer"), killer, other}},
		{scenario: "killed before", want: []want{victim(143, "SIGTERM", "killer"), killer, other}},
		{scenario: "killed by orphaning", want: []want{orphan, {label: "parent", name: "parent"}}},
		{scenario: "killed by SEGV", want: []want{fault, killer}},
		{scenario: "die by PIPE", want: []want{{label: "child", name: "writer", code: 141, signal: "SIGPIPE", fine: true}}},
		{scenario: "die by terminal", want: []want{{label: "child", name: "typed", code: 130, signal: "SIGINT", root: true}}},
		{scenario: "out of memory", args: c.dirs, want: []want{hungry}},
	}
}

// tellsLimit reports whether the kernel lets procspan know which memory cgroup was
// full. Since Linux 6.11 those without CONFIG_MEMCG_V1 do not.
func tellsLimit(t *testing.T) bool {
	t.Helper()
	kernel, err := btf.LoadKernelSpec()
	need(t, err)
	var memcg *btf.Struct
	need(t, kernel.TypeByName("mem_cgroup", &memcg))
	return slices.ContainsFunc(memcg.Members, func(m btf.Member) bool { return m.Name == "oom_lock" })
}

// TestExpectedExits holds that an end which is expected is no failure, and that
// any other is.
func TestExpectedExits(t *testing.T) {
	o := observe(t, func(c *config.Config) {
		c.ExpectedExits = config.ExpectedExits{
			"exit": {process.Status(1 << 8)}, "*": {process.Status(unix.SIGTERM)}, "other": {process.Status(unix.SIGKILL)},
		}
	})
	for _, test := range []told{
		{scenario: "exit 0", want: []want{{label: "child", name: "exit"}}},
		{scenario: "exit 1", want: []want{{label: "child", name: "exit", code: 1, fine: true}}},
		{scenario: "exit 255", want: []want{{label: "child", name: "exit", code: 255}}},
		{scenario: "die by TERM", want: []want{{label: "child", name: "die", code: 143, signal: "SIGTERM", killer: "child", fine: true}}},
		{scenario: "die by KILL", want: []want{{label: "child", name: "die", code: 137, signal: "SIGKILL", killer: "child"}}},
		{scenario: "die by PIPE", want: []want{{label: "child", name: "writer", code: 141, signal: "SIGPIPE"}}},
	} {
		t.Run(test.scenario, func(t *testing.T) { o.tell(t, test) })
	}
}
