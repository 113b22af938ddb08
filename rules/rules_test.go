package rules

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/procspan/procspan/process"
)

func globs(patterns ...string) (all []Glob) {
	for _, p := range patterns {
		g, err := ParsePath(p)
		if err != nil {
			panic(err)
		}
		all = append(all, g)
	}
	return all
}

func pointer[T any](v T) *T { return &v }

// fakeHost is what a test knows of its host.
type fakeHost struct {
	workload Workload
	unknown  bool
	asked    int
}

func (h *fakeHost) Workload(process.Cgroup) (Workload, bool) {
	h.asked++
	return h.workload, !h.unknown
}
func (h *fakeHost) User(uid uint32) string  { return map[uint32]string{33: "www-data"}[uid] }
func (h *fakeHost) Args(args string) string { return strings.ReplaceAll(args, "secret", "***") }
func (h *fakeHost) Variable(name, value string) string {
	return strings.ReplaceAll(value, "secret", "***")
}

// probe is curl in a container, started by kubelet's exec.
func probe() (*process.Candidate, *fakeHost) {
	return &process.Candidate{
			Image: &process.Image{
				Filename: "/bin/curl", Executable: "/usr/bin/curl-8", Args: "curl\x00-sf\x00--pass=secret\x00", Environment: "CI=x-CI\x00KEY=secret\x00",
			},
			Groups: &process.Groups{}, Credentials: &process.Credentials{RealUser: 7, EffectiveUser: 33}, OutsideInit: true,
		}, &fakeHost{workload: Workload{
			Units: [2]string{"kubelet.service"}, Slice: "kubepods.slice", Container: "web-1", ContainerID: "4f2a", Runtime: "containerd",
			Pod: "0b2c", Cgroups: [2]string{"/kubepods/burstable/4f2a"},
		}}
}

// below puts a process below a shell, which is below a shim.
func below(c *Compiled, p *process.Candidate) {
	shell, shim := &process.Image{Filename: "/bin/sh", Executable: "/bin/dash"}, &process.Image{Executable: "/usr/bin/containerd-shim-runc-v2"}
	p.Kin = process.Kin{Parent: c.Program(shell), Ancestors: c.Program(shell) | c.Program(shim)}
}

func TestMatch(t *testing.T) {
	yes, no, unknown := process.Yes, process.No, process.Unknown
	end := &process.Lifetime{End: process.Time(time.Second), Status: 2 << 8, Usage: process.Usage{UserTime: time.Millisecond, PeakRSS: 1 << 20}}
	variable := func(name string, patterns ...string) Environment { return Environment{{name, globs(patterns...)}} }
	for name, tt := range map[string]struct {
		match          Match
		running, ended process.Answer
	}{
		"everything":             {Match{}, yes, yes},
		"name":                   {Match{Executable: globs("curl")}, yes, yes},
		"one of names":           {Match{Executable: globs("wget", "cur?")}, yes, yes},
		"other name":             {Match{Executable: globs("wget")}, no, no},
		"name of the file":       {Match{Executable: globs("curl-*")}, yes, yes},
		"path":                   {Match{Executable: globs("/bin/*")}, yes, yes},
		"path of the file":       {Match{Executable: globs("/usr/*/curl-8")}, yes, yes},
		"path is whole":          {Match{Executable: globs("bin/curl")}, no, no},
		"args":                   {Match{Args: globs("* -sf *")}, yes, yes},
		"args are redacted":      {Match{Args: globs("*secret*")}, no, no},
		"user":                   {Match{User: []string{"root", "www-data"}}, yes, yes},
		"uid":                    {Match{User: []string{"33"}}, yes, yes},
		"other user":             {Match{User: []string{"3"}}, no, no},
		"real user":              {Match{User: []string{"7"}}, no, no},
		"unit":                   {Match{Unit: globs("kube*")}, yes, yes},
		"slice":                  {Match{Slice: globs("user.slice")}, no, no},
		"container":              {Match{Container: globs("web-*")}, yes, yes},
		"container id":           {Match{Container: globs("4f2a")}, yes, yes},
		"runtime":                {Match{Runtime: []string{"docker", "containerd"}}, yes, yes},
		"pod":                    {Match{Pod: globs("0b*")}, yes, yes},
		"one key of two":         {Match{Pod: globs("0b*"), Slice: globs("test")}, no, no},
		"cgroup":                 {Match{Cgroup: globs("/kubepods/**")}, yes, yes},
		"parent":                 {Match{Parent: globs("sh")}, yes, yes},
		"parent is not ancestor": {Match{Parent: globs("containerd-*")}, no, no},
		"ancestor":               {Match{Ancestor: globs("containerd-*")}, yes, yes},
		"ancestor is not itself": {Match{Ancestor: globs("curl")}, no, no},
		"outside init":           {Match{OutsideInit: pointer(true)}, yes, yes},
		"interactive":            {Match{Interactive: pointer(true)}, no, no},
		"not interactive":        {Match{Interactive: pointer(false)}, yes, yes},
		"variable":               {Match{Environment: variable("CI", "x-*")}, yes, yes},
		"other value":            {Match{Environment: variable("CI", "y")}, no, no},
		"no variable":            {Match{Environment: variable("NO", "*")}, no, no},
		"exit":                   {Match{Exit: []Exit{{Status: 2 << 8}}}, unknown, yes},
		"other exit":             {Match{Exit: []Exit{{}, {Status: 2}}}, unknown, no},
		"failed":                 {Match{Exit: []Exit{{Failed: true}}}, unknown, yes},
		"expected":               {Match{Exit: []Exit{{Expected: true}}}, unknown, no},
		"duration":               {Match{Duration: Duration{Above: time.Second}}, unknown, yes},
		"below is less":          {Match{Duration: Duration{Below: time.Second}}, unknown, no},
		"cpu":                    {Match{CPU: Duration{Above: time.Microsecond, Below: time.Second}}, unknown, yes},
		"peak rss":               {Match{PeakRSS: Size{Above: 1<<20 + 1}}, unknown, no},
		"no oom":                 {Match{OOM: pointer(false)}, unknown, yes},
		"no by its start":        {Match{User: []string{"root"}, OOM: pointer(false)}, no, no},
	} {
		t.Run(name, func(t *testing.T) {
			p, host := probe()
			c := Compile(Set{{Match: tt.match, Action: Drop}}, host)
			below(c, p)
			for range 2 { // the second time from caches
				start := c.Start(p)
				got := no
				switch {
				case start == nil:
				case start.Late != nil:
					got = unknown
				case start.Action == process.Drop:
					got = yes
				}
				if got != tt.running || c.Explain(p)[0].Matches != tt.running {
					t.Errorf("while it runs: %v, explained as %v, want %v", got, c.Explain(p), tt.running)
				}
				if got != unknown {
					continue
				}
				if got := c.End(start, p, end).Action == process.Drop; got != (tt.ended == yes) {
					t.Errorf("at its end: %t, want %v", got, tt.ended)
				}
			}
		})
	}
}

// TestNothingKnown: what is not known matches no glob, not even "*", and no range.
func TestNothingKnown(t *testing.T) {
	nobody := &process.Candidate{Image: &process.Image{}, Groups: &process.Groups{}, Credentials: &process.Credentials{}}
	for name, m := range map[string]Match{
		"container": {Container: globs("**")}, "pod": {Pod: globs("**")}, "parent": {Parent: globs("**")},
		"ancestor": {Ancestor: globs("**")}, "variable": {Environment: Environment{{"A", globs("**")}}},
		"executable": {Executable: globs("**")},
	} {
		if got := Compile(Set{{Match: m, Action: Drop}}, &fakeHost{}).Start(nobody); got != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for name, m := range map[string]Match{
		"exit": {Exit: []Exit{{}}}, "cpu": {CPU: Duration{Below: 1}}, "peak_rss": {PeakRSS: Size{Below: 1}}, "oom": {OOM: pointer(false)},
	} {
		c := Compile(Set{{Match: m, Action: Drop}}, &fakeHost{})
		if got := c.End(c.Start(nobody), nobody, &process.Lifetime{EndEstimated: true}); got.Action != process.NoAction {
			t.Errorf("%s of an end that was not seen: %+v", name, got)
		}
	}
}

// TestUnknownWorkload: a cgroup whose path comes later is looked up again.
func TestUnknownWorkload(t *testing.T) {
	p, host := probe()
	c := Compile(Set{{Match: Match{Slice: globs("kube*")}, Action: Drop}}, host)
	whole := host.workload
	host.workload, host.unknown = Workload{}, true
	if r := c.Start(p); r != nil {
		t.Errorf("without a path: %+v", r)
	}
	host.workload, host.unknown = whole, false
	for range 3 {
		if r := c.Start(p); r == nil {
			t.Error("with the path: no ruling")
		}
	}
	if host.asked != 2 {
		t.Errorf("the host was asked %d times, want 2: a path that is known is cached", host.asked)
	}
}

func TestKernel(t *testing.T) {
	uid := func(name string) (uint32, bool) { return 33, name == "www-data" }
	set := Set{
		{Match: Match{Ancestor: globs("cron"), Executable: globs("run-*", "*/x", "a*b")}, Action: Keep},
		{Match: Match{Ancestor: globs("cron"), Executable: globs("run-*")}, Sample: pointer(0.5)},
		{Match: Match{Executable: globs("gcc", "/usr/lib/**", "**/cc1"), User: []string{"7", "www-data"}, Interactive: pointer(false)}, Action: DropTree},
		{Match: Match{Executable: globs("x")}, Attributes: "full"},
		{Match: Match{Executable: globs("y"), User: []string{"nobody-knows"}}, Action: DropTree},
		{Match: Match{Executable: globs("z")}, Action: DropTree, KeepFailed: true},
		{Match: Match{Executable: globs(`\*`)}, Action: DropTree},
		{Match: Match{OutsideInit: pointer(true)}, Action: DropTree},
		{Match: Match{Executable: globs("never")}, Action: DropTree},
	}
	if got := set.Kernel(uid); len(got) != 0 {
		t.Errorf("got %+v, want none: the first passes everything", got)
	}
	want := []KernelRule{
		{Rule: 0, Executable: []KernelText{{Form: Prefix, Text: "run-"}}},
		{Rule: 1, Drop: true, Executable: []KernelText{{Text: "gcc"}, {Path: true, Form: Prefix, Text: "/usr/lib/"}, {Path: true, Form: Suffix, Text: "/cc1"}},
			User: []KernelUser{{ID: 7}, {ID: 33, Host: true}}, Interactive: pointer(false)},
		{Rule: 4, Executable: []KernelText{{Text: "z"}}},
		{Rule: 5, Drop: true, Executable: []KernelText{{Text: "*"}}},
		{Rule: 7, Drop: true, Executable: []KernelText{{Text: "never"}}}, // what the agent drops before it is dropped anyway
	}
	if got := set[1:].Kernel(uid); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	var places []string
	for _, p := range set[1:].Places(uid) {
		places = append(places, fmt.Sprint(p.InKernel, p.Below, p.When, p.Why))
	}
	wantPlaces := []string{
		"false false 0the BPF programs drop whole trees only", "true false 0", "false false 0it decides on no export",
		"true true 0", "false false 1keep_failed needs to know how a process ends", "true false 0", "true true 0", "true false 0",
	}
	if !slices.Equal(places, wantPlaces) {
		t.Errorf("got  %q\nwant %q", places, wantPlaces)
	}
}

// TestKeysAreAllNamed: each key of Match belongs to the BPF programs, or is in one
// of the two lists.
func TestKeysAreAllNamed(t *testing.T) {
	kernel := []string{"executable", "user", "interactive"}
	m := reflect.TypeFor[Match]()
	for i := range m.NumField() {
		key := m.Field(i).Tag.Get("yaml")
		one := reflect.New(m).Elem()
		switch f := one.Field(i); f.Kind() {
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		default:
			f.Field(0).SetInt(1)
		}
		match := one.Interface().(Match)
		if want := []string{key}; !slices.Contains(kernel, key) && !slices.Equal(match.agentKeys(), want) {
			t.Errorf("%s: %q", key, match.agentKeys())
		}
		if match.everything() {
			t.Errorf("a match of %s is everything", key)
		}
	}
}
