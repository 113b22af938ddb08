package scenario

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/procspan/procspan/config"
)

// inTraces lists the scenarios that the tests of this file play.
func inTraces() []string {
	return []string{
		"setsid before exec", "setsid after exec", "setsid without exec", "jobs", "jobs unattended",
		"cgroups", "born in cgroup", "environments", "environment", "env", "brief", "many children",
	}
}

// begin is the first line of most outlines: the test is older than the agent.
const begin = "1 scenario, long_lived, link test"

// traced is a scenario and the outline of its spans. It has a name where there are
// several of the scenario.
type traced struct {
	name, scenario string
	args           []string
	want           string
}

// TestTraces holds where traces begin and what they join, by default.
func TestTraces(t *testing.T) {
	o := observe(t, func(c *config.Config) { c.Capture.Baggage = true })
	o.expect("WARN TRACEPARENT ignored: not valid by W3C Trace Context ")
	for _, test := range slices.Concat(boundaries(newCgroup(t)), traceparents()) {
		t.Run(cmp.Or(test.name, test.scenario), func(t *testing.T) {
			if test.scenario == "born in cgroup" && test.args[0] == "" {
				t.Skip("a process can be born in a cgroup of version 2 only")
			}
			o.traced(t, test, newRemote("A"), newRemote("B"))
		})
	}
	t.Run("baggage", func(t *testing.T) { baggage(t, o) })
}

// boundaries are at a session, at a command line of a shell, at a cgroup that a
// process was in before it became a program; not where it went to one afterwards.
func boundaries(c cgroup) []traced {
	return []traced{
		{scenario: "setsid before exec", want: begin + `
			2 child, session, link scenario`},
		{scenario: "setsid after exec", want: begin + `
			1 child under scenario
			1 command under child`},
		{scenario: "setsid without exec", want: begin + `
			- leader
			2 one, session, link scenario
			2 two, session, link scenario`},
		{scenario: "jobs", want: begin + `
			2 shell, session, link scenario
			3 one, job, link shell
			4 first, job, link shell
			4 second, job, link shell
			4 third, job, link shell
			5 last, job, link shell`},
		{scenario: "jobs unattended", want: begin + `
			2 shell, session, link scenario
			2 one under shell
			2 first under shell
			2 second under shell
			2 third under shell
			2 last under shell`},
		{scenario: "cgroups", args: c.dirs, want: begin + `
			2 first, cgroup, link scenario
			2 second, cgroup, link scenario
			3 again, cgroup, link scenario
			1 mover under scenario
			1 command under mover`},
		{scenario: "born in cgroup", args: []string{c.v2()}, want: begin + `
			2 child, cgroup, link scenario`},
	}
}

const silentA = "TRACEPARENT=00-A-00"

// traceparents are in the environments.
func traceparents() []traced {
	const (
		toA      = "TRACEPARENT=00-A-01"
		toB      = "TRACEPARENT=00-B-01"
		notA     = "TRACEPARENT=00-A-1"
		mebibyte = 1 << 20
		joined   = begin + `
			A child under A, traceparent, link scenario`
	)
	return []traced{
		{name: "joined", scenario: "environments", args: []string{toA + " TRACESTATE=vendor=1,other=2"}, want: begin + `
			A process 0 under A, traceparent, link scenario, state vendor=1,other=2`},
		{name: "inherited", scenario: "environments", args: []string{toA, toA, "", "HOME=/"}, want: begin + `
			A process 0 under A, traceparent, link scenario
			A process 1 under process 0
			A process 2 under process 1
			A process 3 under process 2`},
		{name: "changed", scenario: "environments", args: []string{toA, toB, toB, toA}, want: begin + `
			A process 0 under A, traceparent, link scenario
			B process 1 under B, traceparent, link process 0
			B process 2 under process 1
			A process 3 under A, traceparent, link process 2`},
		{name: "of a later program", scenario: "env", args: []string{toA}, want: joined},
		{name: "not valid", scenario: "environments", args: []string{notA, notA, toA}, want: begin + `
			1 process 0 under scenario
			1 process 1 under process 0
			A process 2 under A, traceparent, link process 1`},
		{name: "not sampled", scenario: "environments", args: []string{silentA, silentA, "", toB}, want: begin + `
			A process 0 under A, traceparent, link scenario
			A process 1 under process 0
			A process 2 under process 1
			B process 3 under B, traceparent, link process 2`},

		{name: "first of 4000", scenario: "environment", args: []string{toA, "3999", "40", "0", "0"}, want: joined},
		{name: "middle of 4000", scenario: "environment", args: []string{toA, "3999", "40", "2000", "0"}, want: joined},
		{name: "last of 4000", scenario: "environment", args: []string{toA, "3999", "40", "3999", "0"}, want: joined},
		{name: "end of 1 MiB", scenario: "environment", args: []string{toA, "16", fmt.Sprint(mebibyte / 16), "16", "0"}, want: joined},
		{name: "beside 2 MiB", scenario: "environment", args: []string{toA, "2", "40", "1", "20"}, want: joined},
	}
}

// TestHonourSampled holds that a process is hidden by its environment only where
// that is configured.
func TestHonourSampled(t *testing.T) {
	yes := true
	o := observe(t, func(c *config.Config) { c.TracePolicy.HonourSampled = &yes })
	o.traced(t, traced{scenario: "environments", args: []string{silentA, silentA, "", "TRACEPARENT=00-B-01"}, want: begin + `
		- process 0
		- process 1
		- process 2
		B process 3 under B, traceparent`}, newRemote("A"), newRemote("B"))
}

// baggage holds that the members of BAGGAGE are on the span.
func baggage(t *testing.T, o *observer) {
	spans := o.traced(t, traced{
		scenario: "environments", args: []string{"BAGGAGE=user=alice,build=a%20b", "BAGGAGE=,"},
		want: begin + `
			1 process 0 under scenario
			1 process 1 under process 0`,
	})
	for label, want := range map[string]map[string]any{
		"process 0": {"procspan.baggage.user": "alice", "procspan.baggage.build": "a b"},
		"process 1": {},
	} {
		got := make(map[string]any)
		for _, kv := range spans[label].GetAttributes() {
			if strings.HasPrefix(kv.Key, "procspan.baggage.") {
				got[kv.Key] = goValue(kv.Value)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s has %v, want %v", label, got, want)
		}
	}
}

// TestForks holds that processes that executed nothing have spans, by default where
// they fail.
func TestForks(t *testing.T) {
	o := observe(t, func(c *config.Config) { c.Capture.Forks = config.Default().Capture.Forks })
	o.traced(t, traced{scenario: "fork only", want: begin + `
		1 forked under scenario
		1 vforked under scenario
		1 threaded under scenario`})
}

// TestUndivided holds that nothing divides a tree where split_on is empty: it
// hangs on the test, which is older than the agent.
func TestUndivided(t *testing.T) {
	o := observe(t, func(c *config.Config) {
		c.TracePolicy.SplitOn = config.SplitOn{}
		c.TracePolicy.MaxAge = math.MaxInt64 // the trace is as old as the first process of the machine
	})
	c := newCgroup(t)
	for _, test := range []traced{
		{scenario: "setsid without exec", want: `
			1 scenario under test
			- leader
			1 one under scenario
			1 two under scenario`},
		{scenario: "jobs", want: `
			1 scenario under test
			1 shell under scenario
			1 one under shell
			1 first under shell
			1 second under shell
			1 third under shell
			1 last under shell`},
		{scenario: "cgroups", args: c.dirs, want: `
			1 scenario under test
			1 first under scenario
			1 second under scenario
			1 again under scenario
			1 mover under scenario
			1 command under mover`},
	} {
		t.Run(test.scenario, func(t *testing.T) { o.traced(t, test) })
	}
}

// TestMinDuration holds what becomes of those below a process that is left out.
func TestMinDuration(t *testing.T) {
	o := observe(t, func(c *config.Config) { c.Filter.MinDuration = 4 * time.Second })
	o.traced(t, traced{scenario: "brief", args: []string{"4100"}, want: begin + `
		1 top under scenario, 4 left out
		- middle
		1 failed under top
		- inner
		- apart
		- last
		1 long under top
		2 orphan, session, link top`})
}

// TestMaxSpans holds that no trace has more than max_spans.
func TestMaxSpans(t *testing.T) {
	o := observe(t, func(c *config.Config) { c.TracePolicy.MaxSpans = 10 })
	want := begin + "\n1 parent under scenario"
	for i := range 25 {
		if trace := 1 + (i+2)/10; trace == 1 {
			want += fmt.Sprintf("\n1 child %d under parent", i)
		} else {
			want += fmt.Sprintf("\n%d child %d, cap, link parent", trace, i)
		}
	}
	o.traced(t, traced{scenario: "many children", args: []string{"25"}, want: want})
}

// TestKeepErrors holds that of traces that are not sampled only what failed is
// exported, each for itself.
func TestKeepErrors(t *testing.T) {
	o := observe(t, func(c *config.Config) {
		c.Traces.Sampler = config.Sampler{}
		c.TracePolicy.KeepErrors = true
	})
	for _, test := range []traced{
		{scenario: "exit 0", want: `
			- scenario
			- child`},
		{scenario: "die by TERM", want: `
			- scenario
			1 child, sampling`},
		{scenario: "subshell", want: `
			- scenario
			- shell
			- outer
			- inner
			1 child, sampling`},
	} {
		t.Run(test.scenario, func(t *testing.T) { o.traced(t, test) })
	}
}
