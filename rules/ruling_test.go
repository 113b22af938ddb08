package rules

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/procspan/procspan/process"
)

func template(t *testing.T, text string) Template {
	t.Helper()
	tmpl, err := ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

// TestRulings: the first rule that decides wins, the others add up; what is not known
// yet is asked again at the end.
func TestRulings(t *testing.T) {
	p, host := probe()
	curl, other := Match{Executable: globs("curl")}, Match{Executable: globs("wget")}
	quick := Match{Executable: globs("curl"), Duration: Duration{Below: 2 * time.Second}}
	c := Compile(Set{
		{Name: "other", Match: other, Action: Drop},
		{Name: "adds", Match: curl, SpanName: "command", Set: Settings{{"a", template(t, "1")}, {"service.name", template(t, "${env:CI}")}}, ExpectedExits: []process.Status{1 << 8}},
		{Name: "quick", Match: quick, Action: Drop, KeepFailed: true},
		{Name: "keep", Match: curl, Action: Keep, Attributes: "full", SpanName: "script", Trace: template(t, "${env:CI}")},
		{Name: "late", Action: DropTree, Set: Settings{{"a", template(t, "2")}, {"b", template(t, "${env:KEY}")}, {"c", template(t, "${env:NONE}")}}, Args: Args{DropAfter: 3}, ExpectedExits: []process.Status{2 << 8}},
	}, host)
	treatment := &process.Treatment{
		SpanName: "command", Attributes: "full", DropAfter: 3, Expected: []process.Status{1 << 8, 2 << 8},
		Set: []process.Setting{{Name: "a", Value: "1"}, {Name: "b", Value: "***"}}, Resource: []process.Setting{{Name: "service.name", Value: "x-CI"}},
	}
	start := c.Start(p)
	if start.Rule != "keep" || start.Action != process.Keep || start.Open != 2*time.Second || start.Late == nil || start.Trace == 0 {
		t.Errorf("while it runs: %+v", start)
	}
	p.Image.Environment = "" // of a process whose details were given up
	for _, tt := range []struct {
		name   string
		took   time.Duration
		rule   string
		action process.Action
	}{{"quick", time.Second, "quick", process.Drop}, {"slow", 3 * time.Second, "keep", process.Keep}} {
		r := c.End(start, p, &process.Lifetime{End: process.Time(tt.took)})
		if r.Rule != tt.rule || r.Action != tt.action || r.KeepFailed != (tt.rule == "quick") || r.Late != nil || r.Open != 0 {
			t.Errorf("%s: %+v", tt.name, r)
		}
		if !reflect.DeepEqual(r.Treatment, treatment) {
			t.Errorf("%s: treatment %+v, want %+v", tt.name, r.Treatment, treatment)
		}
	}
}

// TestDropsThatAreOpen: a drop that is known at the start stays one, whatever a rule
// before it finds at the end; children never wait for it.
func TestDropsThatAreOpen(t *testing.T) {
	p, host := probe()
	failed := Match{Exit: []Exit{{Failed: true}}}
	for name, tt := range map[string]struct {
		set  Set
		open time.Duration
		act  process.Action
	}{
		"keep if failed, drop":     {Set{{Match: failed, Action: Keep}, {Action: DropTree}}, 0, process.DropTree},
		"drop if failed, drop":     {Set{{Match: failed, Action: Drop}, {Action: Drop}}, 0, process.Drop},
		"drop if failed":           {Set{{Match: failed, Action: Drop}}, maxOpen, process.NoAction},
		"drop if failed and short": {Set{{Match: Match{Exit: failed.Exit, Duration: Duration{Below: time.Second}}, Action: Drop}, {Action: Keep}}, time.Second, process.Keep},
		"keep if failed":           {Set{{Match: failed, Action: Keep}}, 0, process.NoAction},
		"keep, drop if failed":     {Set{{Action: Keep}, {Match: failed, Action: Drop}}, 0, process.Keep},
	} {
		t.Run(name, func(t *testing.T) {
			if r := Compile(tt.set, host).Start(p); r.Open != tt.open || r.Action != tt.act || r.Late == nil {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestThreshold: the examples of OpenTelemetry's specification, and the bounds.
func TestThreshold(t *testing.T) {
	for _, tt := range []struct {
		probability float64
		threshold   uint64
		state       string
	}{
		{1, 0, "ot=th:0"}, {0.5, 1 << 55, "ot=th:8"}, {0.25, 3 << 54, "ot=th:c"}, {0.75, 1 << 54, "ot=th:4"},
		{0.01, 0xfd70a3d70a3d71, "ot=th:fd70a3d70a3d71"}, {0, 1 << 56, ""}, {0.99, 0x028f5c28f5c290, "ot=th:028f5c28f5c29"},
	} {
		if n, state := threshold(tt.probability); n != tt.threshold || state != tt.state {
			t.Errorf("%v: %x %q, want %x %q", tt.probability, n, state, tt.threshold, tt.state)
		}
	}
}

// TestHostileEnvironment: values that never come again, and long ones, take no more
// than bounded memory.
func TestHostileEnvironment(t *testing.T) {
	p, host := probe()
	c := Compile(Set{{Set: Settings{{"service.name", template(t, "x${env:CI}")}}, Trace: template(t, "${env:CI}")}}, host)
	for i := range 3 * maxCached {
		p.Image.Environment = "CI=" + strings.Repeat("ü", 5000) + "\x00"
		if i > 0 {
			p.Image.Environment = "CI=" + strings.Repeat(string(rune('a'+i%26)), i) + "\x00"
		}
		r := c.Start(p)
		if value := r.Treatment.Resource[0].Value; len(value) > maxValue+1 || len(value) < min(i+1, maxValue) {
			t.Fatalf("%d bytes of a value, want up to %d", len(value), maxValue)
		}
	}
	if n := len(c.expanded.values); n > maxCached || c.expanded.bytes > 2*maxCachedBytes {
		t.Errorf("%d rulings of %d bytes are cached", n, c.expanded.bytes)
	}
}

// TestCompiledAgrees: many rules at once match as each does by itself, with caches and
// without.
func TestCompiledAgrees(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(patterns ...string) []Glob {
		if random.IntN(4) > 0 {
			return nil
		}
		return globs(patterns[random.IntN(len(patterns))], patterns[random.IntN(len(patterns))])
	}
	perhaps := func() *bool {
		if random.IntN(6) > 0 {
			return nil
		}
		return pointer(random.IntN(2) == 0)
	}
	matches := 0
	for range 40 {
		set := make(Set, 1+random.IntN(MaxRules))
		for i := range set {
			m := &set[i].Match
			m.Executable = pick("sh", "c*", "/bin/*", "[a-c]")
			m.Args = pick("*x*", "a b")
			m.Slice = pick("a.slice", "*")
			m.Parent, m.Ancestor = pick("sh", "c*"), pick("sh", "/bin/c*", "b")
			m.Interactive, m.OutsideInit = perhaps(), perhaps()
			if random.IntN(5) == 0 {
				m.User = []string{"33", "www-data"}
			}
			if random.IntN(5) == 0 {
				m.Environment = Environment{{"A", globs("1")}}
			}
			set[i].Attributes = "full"
		}
		host := &fakeHost{}
		c := Compile(set, host)
		if len(c.programs) > MaxPrograms {
			t.Fatalf("%d programs", len(c.programs))
		}
		for range 200 {
			name := []string{"sh", "cc", "b", "x"}[random.IntN(4)]
			p := &process.Candidate{
				Image:       &process.Image{Filename: "/bin/" + name, Executable: "/usr/bin/" + name, Args: []string{"a\x00b\x00", "x\x00"}[random.IntN(2)], Environment: []string{"", "A=1\x00"}[random.IntN(2)]},
				Groups:      &process.Groups{Terminal: uint32(random.IntN(2)), Cgroup: process.Cgroup{V2: uint64(1 + random.IntN(2))}},
				Credentials: &process.Credentials{EffectiveUser: uint32(33 * random.IntN(2)), OtherRoot: random.IntN(2) == 0},
				Kin:         process.Kin{Parent: random.Uint64(), Ancestors: random.Uint64()}, OutsideInit: random.IntN(2) == 0,
			}
			host.workload.Slice = []string{"", "a.slice"}[p.Groups.Cgroup.V2-1]
			got := c.match(p)
			for i, e := range c.Explain(p) {
				if got.has(i) != (e.Matches == process.Yes) {
					t.Fatalf("rule %+v of %+v: %t, explained as %+v", set[i], p, got.has(i), e)
				}
				if got.has(i) {
					matches++
				}
			}
		}
	}
	if matches < 1000 {
		t.Errorf("%d matches: this tests little", matches)
	}
}
