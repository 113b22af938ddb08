package bpf

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/test/scenario/raw"
)

// execWith runs a program in exactly this environment.
func execWith(tb testing.TB, environment []string) {
	tb.Helper()
	execWithArgs(tb, []string{"prog", "be", "exit 0"}, environment)
}

func execWithArgs(tb testing.TB, args, environment []string) {
	tb.Helper()
	child, err := os.StartProcess(exiter(tb), args, &os.ProcAttr{Env: environment})
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := child.Wait(); err != nil {
		tb.Fatal(err)
	}
}

// exiter returns the path of a program that does nothing but exit, in one way or
// another, whatever its arguments and environment are. (This binary would have to be killed, and a
// process that is killed while it execs has not become the program.)
func exiter(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(os.TempDir(), fmt.Sprintf("procspan-exiter-%d", os.Getpid()))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if err := os.WriteFile(path, raw.ELF(func(b *raw.Block) { b.ExitGroup(0) }), 0o755); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.Remove(path); err != nil {
			tb.Error(err)
		}
	})
	return path
}

// strings of n bytes in all, each with its NUL, none longer than the kernel
// takes.
func padding(n int) (environment []string) {
	const most = 100 << 10
	for ; n > most; n -= most {
		environment = append(environment, "P="+strings.Repeat("x", most-3))
	}
	return append(environment, strings.Repeat("x", n-1))
}

// filler returns n strings as an environment has them, 60 bytes on average.
func filler(n int) []string {
	environment := []string{}
	for i := range n {
		environment = append(environment, fmt.Sprintf("VARIABLE_%d=/usr/local/share/%s", i, strings.Repeat("v", 10+i%41)))
	}
	return environment
}

func TestEnvironment(t *testing.T) {
	const parent = "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	longName := strings.Repeat("N", maxVariableName)
	type testCase struct {
		name        string
		environment []string
		want        []string
		cut         bool
	}
	join := func(parts ...[]string) (all []string) {
		for _, part := range parts {
			all = append(all, part...)
		}
		return all
	}
	with := func(name string, environment []string, want ...string) testCase {
		return testCase{name: name, environment: environment, want: want}
	}
	one := []string{parent}
	most := "BAGGAGE=" + strings.Repeat("b", 8192)
	cases := []testCase{
		with("empty", []string{}),
		with("one string", one, parent),
		with("absent", filler(35)),
		with("first", join(one, filler(35)), parent),
		with("in the middle", join(filler(20), one, filler(15)), parent),
		with("last", join(filler(35), one), parent),
		with("last of 4000", join(filler(4000), one), parent),
		with("last of 1 MiB", join(padding(1<<20), one), parent),
		with("of 1 MiB, with every byte above ASCII", join(padding(1<<10), []string{strings.Repeat("\xff", 100<<10), strings.Repeat("\x80", 100<<10)}, one), parent),
		with("short names", []string{"AB=1", "A=2", "ABC=3", "A", "B=4"}, "A=2", "B=4"),
		with("names that begin alike", []string{"TRACEPARENTX=1", "TRACEPAR=2", "XTRACEPARENT=3", "traceparent=4", "TRACESTATES=5"}),
		with("within a value", []string{"X=" + parent, "X=\x01" + parent}),
		with("after a byte 1", []string{"", "\x01" + parent, "\x01\x01" + parent}),
		with("no =", []string{"TRACEPARENT", "A", parent}, parent),
		with("no value", []string{"TRACEPARENT=", "A=", "TRACESTATE="}, "TRACEPARENT=", "A=", "TRACESTATE="),
		with("a later version of TRACEPARENT", []string{"TRACEPARENT=cc" + parent[14:]}, "TRACEPARENT=cc"+parent[14:]),
		with("a longer TRACEPARENT of a later version", []string{"TRACEPARENT=cc" + parent[14:] + "-" + strings.Repeat("x", 9000)}, "TRACEPARENT=cc"+parent[14:]),
		with("a TRACEPARENT that is too short", []string{parent[:len(parent)-1]}, "TRACEPARENT=invalid"),
		with("a TRACEPARENT that is too long", []string{parent + "-"}, "TRACEPARENT=invalid"),
		with("a later TRACEPARENT that is too long", []string{"TRACEPARENT=cc" + parent[14:] + "1"}, "TRACEPARENT=invalid"),
		with("a TRACEPARENT without dashes", []string{strings.ReplaceAll(parent, "-", "0")}, "TRACEPARENT=invalid"),
		with("a malformed TRACEPARENT, and another", []string{"TRACEPARENT=" + strings.Repeat("c", 8100), parent}, "TRACEPARENT=invalid"),
		with("a TRACESTATE of 512 bytes", []string{"TRACESTATE=" + strings.Repeat("b", 512)}, "TRACESTATE="+strings.Repeat("b", 512)),
		with("a TRACESTATE that is too long", []string{"TRACESTATE=" + strings.Repeat("b", 513), parent}, parent),
		with("an = in the value", []string{"A=b=c="}, "A=b=c="),
		with("empty strings", join(make([]string, 100), one, make([]string, 100)), parent),
		with("two of a name", []string{"A=1", "A=2", parent, "A=3"}, "A=1", parent),
		with("in the environment's order", []string{"TRACESTATE=s", "BAGGAGE=b", parent}, "TRACESTATE=s", "BAGGAGE=b", parent),
		with("a name of 64 bytes", []string{longName + "N=1", longName[1:] + "=2", longName + "=3"}, longName+"=3"),
		with("a value of 8 KiB", []string{most, parent}, most, parent),
		with("a value of 8 KiB for the longest name", []string{longName + "=" + most[8:]}, longName+"="+most[8:]),
		{"a value that is too long", []string{longName + "=" + most[8:] + "b", parent}, one, true},
		{"a value that is much too long", join([]string{"A=" + strings.Repeat("a", 100<<10)}, one), one, true},
		{"too much in all", []string{most, longName + "=" + most[8:], parent, "A=1"}, []string{most, parent, "A=1"}, true},
		with("16 KiB in all", []string{most, "A=" + strings.Repeat("a", 16384-len(most)-1-3)}, most, "A="+strings.Repeat("a", 16384-len(most)-1-3)),
		{"a byte more than 16 KiB in all", []string{most, "A=" + strings.Repeat("a", 16384-len(most)-1-2), "B=1"}, []string{most, "B=1"}, true},
		with("a value that is too long, of a variable that was not requested", join([]string{"TRACEPARTY=" + strings.Repeat("a", 100<<10)}, one), parent),
	}
	// Every position around the edges of the first chunks and of their words. The
	// first may begin with the arguments.
	const args = len("prog\x00be\x00exit 0\x00")
	for _, edge := range []int{0, 2048 - args, 4096 - args} {
		for at := edge - 72; at <= edge+9; at++ {
			if at < 2 {
				continue
			}
			long := longName + "=1"
			cases = append(cases, with(fmt.Sprintf("64 bytes of name at byte %d", at), append(padding(at), long), long))
			if at >= edge-16 {
				cases = append(cases,
					with(fmt.Sprintf("at byte %d", at), join(padding(at), one, filler(3)), parent),
					with(fmt.Sprintf("at byte %d, the last", at), append(padding(at), "A=1"), "A=1"))
			}
		}
	}

	tr := tracer(t, Options{
		OnlyDescendants: true,
		RingSize:        16 << 20,
		Variables:       []string{"TRACEPARENT", "TRACESTATE", "BAGGAGE", "A", "B", longName},
	})
	alike := tracer(t, Options{ // names with a common prefix take another path
		OnlyDescendants: true,
		RingSize:        16 << 20,
		Variables:       []string{"TRACEPARENT", "TRACESTATE"},
	})
	for _, tc := range cases {
		execWith(t, tc.environment)
	}
	images, ofAlike := images(t, tr, len(cases)), images(t, alike, len(cases))
	for i, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			image := images[i]
			want := ""
			for _, s := range tc.want {
				want += s + "\x00"
			}
			if image.Environment != want || image.EnvironmentCut != tc.cut {
				t.Errorf("found %.200q, cut %t; want %.200q, cut %t", image.Environment, image.EnvironmentCut, want, tc.cut)
			}
			want = ""
			for _, s := range tc.want {
				if strings.HasPrefix(s, "TRACE") {
					want += s + "\x00"
				}
			}
			if image := ofAlike[i]; image.Environment != want || image.EnvironmentCut {
				t.Errorf("names that begin alike: found %.200q, cut %t; want %.200q, whole", image.Environment, image.EnvironmentCut, want)
			}
		})
	}
	if n := lost(t, tr, "environment: not readable"); n > 0 {
		t.Errorf("%d environments were not readable", n)
	}
	if n := lost(t, tr, "TRACESTATE: longer than 512 bytes"); n != 1 {
		t.Errorf("%d TRACESTATEs were too long, want 1", n)
	}
}

// Arguments are read together with the environment but are not part of it; too many
// are read separately.
func TestArgumentsBeforeEnvironment(t *testing.T) {
	const parent, state = "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "TRACESTATE=2"
	tr := tracer(t, Options{
		OnlyDescendants: true, RingSize: 16 << 20,
		Variables: []string{"TRACEPARENT", "TRACESTATE"},
	})
	var all [][]string
	for n := range 40 {
		for _, size := range []int{0, 1000, 2030, 4060} {
			all = append(all, []string{parent, strings.Repeat("x", size+n), parent, state})
		}
	}
	for _, args := range all {
		execWithArgs(t, args, []string{"A=" + parent, state})
	}
	for i, image := range images(t, tr, len(all)) {
		want := strings.Join(all[i], "\x00") + "\x00"
		cut := len(want) > 4096
		if cut {
			want = want[:4096]
		}
		if got := image.Args; got != want || image.ArgsCut != cut {
			t.Errorf("%d bytes of arguments: got %d, cut %t; want them, cut %t", len(want), len(got), image.ArgsCut, cut)
		}
		if image.Environment != state+"\x00" || image.EnvironmentCut {
			t.Errorf("after %d bytes of arguments: found %q, cut %t; want %q, whole", len(want), image.Environment, image.EnvironmentCut, state)
		}
	}
}

// Leftovers of an environment in the scratch memory are not read as the next one's.
func TestShorterEnvironment(t *testing.T) {
	// All on one CPU, so in the same memory.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if before.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.SchedSetaffinity(0, &before); err != nil {
			t.Error(err)
		}
	}()
	tr := tracer(t, Options{OnlyDescendants: true, Variables: []string{"A"}})
	const at = 72 // the first byte of a word
	const rounds = 9
	for less := range rounds {
		execWith(t, append(padding(at), "A=1"))
		execWith(t, padding(at-less))
	}
	for i, got := range images(t, tr, 2*rounds) {
		if want := []string{"A=1\x00", ""}[i%2]; got.Environment != want {
			t.Errorf("%d bytes shorter: found %q, want %q", i/2, got.Environment, want)
		}
	}
}

// images reads the images of n execs, in order: pids are reused.
func images(t *testing.T, tr *Tracer, n int) (all []process.Image) {
	t.Helper()
	for _, ev := range rest(t, tr) {
		if ev.Kind == process.Exec {
			all = append(all, ev.Image)
		}
	}
	if len(all) != n {
		t.Fatalf("%d execs, want %d", len(all), n)
	}
	return all
}

func TestEnvironmentOff(t *testing.T) {
	tr := tracer(t, Options{OnlyDescendants: true})
	execWith(t, []string{"TRACEPARENT=1", "=1", ""})
	if image := images(t, tr, 1)[0]; image.Environment != "" || image.EnvironmentCut {
		t.Errorf("image %+v, want one without an environment", image)
	}
}

func TestAllVariables(t *testing.T) {
	var names, environment []string
	want := ""
	for i := range maxVariables {
		names = append(names, strings.Repeat(string(rune('A'+i)), maxVariableName-i))
		environment = append(environment, names[i]+"=x")
		want += environment[i] + "\x00"
	}
	tr := tracer(t, Options{OnlyDescendants: true, Variables: names})
	execWith(t, environment)
	if got := images(t, tr, 1)[0]; got.Environment != want || got.EnvironmentCut {
		t.Errorf("found %q, cut %t; want %q", got.Environment, got.EnvironmentCut, want)
	}
}

// With a larger stack limit an environment may be longer than the searched part.
func TestHugeEnvironment(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_STACK, &before); err != nil {
		t.Fatal(err)
	}
	// A quarter of the limit may be arguments and environment.
	if err := unix.Setrlimit(unix.RLIMIT_STACK, &unix.Rlimit{Cur: 16 << 20, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_STACK, &before); err != nil {
			t.Error(err)
		}
	}()
	tr := tracer(t, Options{OnlyDescendants: true, Variables: []string{"A"}})
	execWith(t, append(padding(2<<20-4), "A=1"))
	execWith(t, append(padding(2<<20+1), "A=1"))
	images := images(t, tr, 2)
	if got := images[0]; got.Environment != "A=1\x00" || got.EnvironmentCut {
		t.Errorf("within 2 MiB: found %q, cut %t; want it whole", got.Environment, got.EnvironmentCut)
	}
	if got := images[1]; got.Environment != "" || !got.EnvironmentCut {
		t.Errorf("beyond 2 MiB: found %q, cut %t; want nothing, and cut", got.Environment, got.EnvironmentCut)
	}
}

func TestOpenRefusesVariables(t *testing.T) {
	for _, tc := range []struct {
		name  string
		names []string
		want  string
	}{
		{"empty", []string{"A", ""}, `(got "")`},
		{"with =", []string{"A=B"}, `(got "A=B")`},
		{"with NUL", []string{"A\x00"}, `(got "A\x00")`},
		{"too long", []string{strings.Repeat("A", 65)}, "1 to 64 bytes"},
		{"too many", strings.Split("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg", ""), "at most 32 names (got 33)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tr, err := Open(Options{RingSize: 1 << 20, Variables: tc.names}); err == nil || !strings.Contains(err.Error(), tc.want) {
				if err == nil {
					tr.Close()
				}
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

// BenchmarkEnvironment measures on_exec by the kernel's own count, and reports
// the median: machines are noisy.
func BenchmarkEnvironment(b *testing.B) {
	const parent = "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		b.Skip(err)
	}
	defer stats.Close()
	for _, bc := range []struct {
		name        string
		environment []string
	}{
		{"1", nil},
		{"35", filler(34)},
		{"200", filler(199)},
		{"4000", filler(3999)},
		{"1MiB", padding(1 << 20)},
	} {
		for _, search := range []struct {
			name  string
			names []string
		}{{"off", nil}, {"on", []string{"TRACEPARENT", "TRACESTATE"}}} {
			b.Run(bc.name+"/"+search.name, func(b *testing.B) {
				tr, err := Open(Options{RingSize: 1 << 20, ArgsMaxBytes: 4096, WorkingDirectory: true, OnlyDescendants: true, Variables: search.names})
				if err != nil {
					b.Fatal(err)
				}
				defer tr.Close()
				environment := append(bc.environment[:len(bc.environment):len(bc.environment)], parent)
				var took []time.Duration
				var before time.Duration
				for b.Loop() {
					execWith(b, environment)
					after, err := tr.objects.OnExec.Stats()
					if err != nil {
						b.Fatal(err)
					}
					took, before = append(took, after.Runtime-before), after.Runtime
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "bpf-ns/exec")
			})
		}
	}
}
