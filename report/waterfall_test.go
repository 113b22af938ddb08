package report

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rivo/uniseg"

	"github.com/procspan/procspan/console"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/test/golden"
	"github.com/procspan/procspan/timeline"
)

var update = flag.Bool("update", false, "write the golden files anew")

// ms is a millisecond in kernel time.
const ms = 1_000_000

var errBroken = errors.New("broken pipe")

// brokenAfter takes so many bytes, and then fails.
type brokenAfter int

func (b *brokenAfter) Write(p []byte) (int, error) {
	if *b -= brokenAfter(len(p)); *b < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

// ran is a lifetime, from and to in milliseconds; parent 0 is none.
func ran(pid, parent uint32, from, to process.Time, words ...string) *process.Lifetime {
	l := &process.Lifetime{ID: process.ID{PID: pid, Start: process.Time(pid)}, Start: from * ms, End: to * ms, Comm: "comm"}
	if parent != 0 {
		l.Parent = process.ID{PID: parent, Start: process.Time(parent)}
	}
	if len(words) > 0 {
		l.Image.Filename = "/usr/bin/" + words[0]
		l.Image.Args = strings.Join(words, "\x00") + "\x00"
		l.Image.ArgsCount = len(words)
	}
	return l
}

func image(l *process.Lifetime, filename, executable string, args ...string) *process.Lifetime {
	l.Image = process.Image{Filename: filename, Executable: executable, Args: strings.Join(args, "\x00") + "\x00"}
	return l
}

func ended(l *process.Lifetime, status process.Status) *process.Lifetime {
	l.Status = status
	return l
}

func build() []*process.Lifetime {
	return []*process.Lifetime{ // as they end
		ran(13, 12, 30, 400, "cc1", "-O2", "-quiet", "main.c", "-o", "/tmp/ccX1.s"),
		ran(14, 12, 410, 450, "as", "/tmp/ccX1.s"),
		ran(12, 11, 20, 460, "gcc", "-O2", "-c", "main.c"),
		ended(ran(16, 15, 50, 900, "cc1", "-O2", "-quiet", "util.c"), 1<<8),
		ended(ran(15, 11, 40, 910, "gcc", "-O2", "-c", "util.c"), 1<<8),
		ended(ran(11, 10, 10, 1000, "make", "-j8"), 2<<8),
		ended(ran(10, 0, 0, 1010, "sh", "-c", "make -j8 && make install"), 2<<8),
	}
}

// chain is a process that starts a process that starts a process …
func chain(depth int) []*process.Lifetime {
	all := make([]*process.Lifetime, depth)
	for i := range all {
		all[i] = ran(uint32(i+1), uint32(i), process.Time(i), process.Time(2*depth-i), fmt.Sprintf("level%d", i))
	}
	return all
}

// analysed returns the analysis of a job of these lifetimes, none of which is its
// root.
func analysed(lifetimes []*process.Lifetime) *timeline.Analysis {
	b := timeline.NewBuilder()
	for _, l := range lifetimes {
		b.Add(l, "")
	}
	return timeline.Analyse(b.Model(timeline.Job{CPUs: 2}))
}

func waterfallText(t *testing.T, lifetimes []*process.Lifetime, width int) string {
	t.Helper()
	var b strings.Builder
	if err := Waterfall(&b, analysed(lifetimes), width, 0); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// checkWaterfall holds any waterfall to its form: a line for each lifetime,
// none wider than allowed, each with a bar, nothing that acts on a terminal.
func checkWaterfall(t *testing.T, text string, lifetimes, width int) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != lifetimes {
		t.Errorf("%d lines for %d lifetimes", len(lines), lifetimes)
	}
	for _, line := range lines {
		if got := uniseg.StringWidth(line); got > max(width, 60) {
			t.Errorf("%d wide, want %d at most: %s", got, max(width, 60), line)
		}
		if !strings.HasSuffix(line, "█") {
			t.Errorf("no bar: %q", line)
		}
		if line != console.Printable(line) {
			t.Errorf("a line that acts on the terminal: %q", line)
		}
	}
}

func TestWaterfall(t *testing.T) {
	for _, tc := range []struct {
		name      string
		lifetimes []*process.Lifetime
		width     int
	}{
		{"build at 80", build(), 80},
		{"build at 120", build(), 120},
		{"build at 200", build(), 200},
		{"build too narrow", build(), 0},
		{"one", []*process.Lifetime{ran(1, 0, 5, 10, "true")}, 80},
		{"zero length", []*process.Lifetime{ran(1, 0, 5, 5, "true")}, 80},
		{"zero length at the end", []*process.Lifetime{
			ran(1, 0, 0, 100, "sh"), ran(2, 1, 0, 0, "first"), ran(3, 1, 100, 100, "last"),
		}, 80},
		{"orphans stand at the top", []*process.Lifetime{
			ran(3, 99, 10, 20, "orphan", "of", "99"), ran(4, 3, 12, 15, "its-child"), ran(2, 0, 0, 30, "root"),
			ran(5, 98, 40, 50, "orphan", "of", "98"),
		}, 80},
		{"siblings in order of start", []*process.Lifetime{
			ran(4, 1, 20, 30, "third"), ran(3, 1, 10, 90, "second"), ran(2, 1, 10, 20, "first"), ran(1, 0, 0, 100, "sh"),
			ran(5, 3, 30, 40, "below-second"),
		}, 80},
		{"ends", []*process.Lifetime{
			ran(1, 0, 0, 100, "sh"),
			ended(ran(2, 1, 0, 10, "false"), 1<<8),
			ended(ran(3, 1, 10, 20, "killed"), 9),
			ended(ran(4, 1, 20, 30, "crashed", "with a long command line that leaves little room for its end"), 11|0x80),
			ended(ran(5, 1, 30, 40, "real-time"), 37),
			ended(ran(6, 1, 40, 50, "not-a-signal"), 137<<8),
		}, 80},
		{"ends too narrow", []*process.Lifetime{
			ended(ran(4, 0, 20, 30, "crashed", "with a long command line"), 26|0x80),
		}, 60},
		{"deep", chain(20), 80},
		{"labels", []*process.Lifetime{
			ran(1, 0, 0, 10), // only a comm
			ran(2, 1, 1, 2, "echo", "", "two words", "größe", "日本語"),
			ran(3, 1, 2, 3, "printf", "\x1b[31m\r\n\u202e\xff"),
			{ID: process.ID{PID: 4, Start: 4}, Parent: process.ID{PID: 1, Start: 1}, Start: 3 * ms, End: 4 * ms, Comm: "python3", Image: process.Image{
				Filename: "./deploy.py", Executable: "/usr/bin/python3", Args: "/usr/bin/python3\x00./deploy.py\x00--all\x00",
			}},
			{ID: process.ID{PID: 5, Start: 5}, Parent: process.ID{PID: 1, Start: 1}, Start: 4 * ms, End: 5 * ms, Image: process.Image{
				Filename: "/bin/cat", Args: "cat\x00/etc/pass", ArgsCut: true,
			}},
			{ID: process.ID{PID: 6, Start: 6}, Parent: process.ID{PID: 1, Start: 1}, Start: 5 * ms, End: 6 * ms}, // nothing
		}, 100},
		{"words", []*process.Lifetime{
			ran(1, 0, 0, 10, "sh", "-c", "cat 'a b' c; echo \"$HOME\""),
			ran(2, 1, 1, 2, "cat", "a b", "c"),
			ran(3, 1, 2, 3, "cat", "a", "b c"),
			ran(4, 1, 3, 4, "echo", "it's", "it's $5", "*.c", "", "a\\b\n", "größe", "CC=gcc", "--x=<redacted>"),
			ran(5, 1, 4, 5, "[", "-f", "x", "]"),
			ran(6, 1, 5, 6, "a name", "x"),
		}, 120},
		{"own path as an argument", []*process.Lifetime{
			ran(1, 0, 0, 10, "stat", "/usr/bin/stat"),
			ran(2, 0, 1, 2, "md5sum", "-b", "/usr/bin/md5sum"),
			image(ran(3, 0, 2, 3), "/usr/bin/vi", "/usr/bin/vim.basic", "vi", "/usr/bin/vi", "x"),
			image(ran(4, 0, 3, 4), "/usr/bin/npm", "/usr/bin/node", "/usr/bin/node", "/usr/bin/npm", "ci", "x y"),
			image(ran(5, 0, 4, 5), "/usr/bin/awk.sh", "/usr/bin/gawk", "/usr/bin/awk", "-f", "/usr/bin/awk.sh", "x"),
		}, 80},
		{"wide and combining", []*process.Lifetime{
			ran(1, 0, 0, 10, "plainname", "0.1"),
			ran(2, 1, 1, 2, "日本語のプログラム", "0.1"),
			ran(3, 1, 2, 3, "printf", "🚀🚀🚀 deploy"),
			ran(4, 1, 3, 4, "echo", "e\u0301a\u0308", "ᄒᆞᆫ글", "한국어 텍스트가 길면 잘린다 그래도 줄이 맞는다"),
			ended(ran(5, 1, 4, 5, "中文"+strings.Repeat("中", 40)), 1<<8),
		}, 80},
		{"long", []*process.Lifetime{
			ran(1, 0, 0, 28*3600*1000, "ci-job"), ran(2, 1, 1000, 9*3600*1000+59*60*1000+59*1000, "test"), ran(3, 1, 1000, 1000+100_000, "lint"),
		}, 80},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := waterfallText(t, tc.lifetimes, tc.width)
			checkWaterfall(t, got, len(tc.lifetimes), tc.width)
			golden.Check(t, tc.name, got, *update)
		})
	}
}

func TestWaterfallOfNothing(t *testing.T) {
	if got := waterfallText(t, nil, 80); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
}

func TestWaterfallOfOneThatIsItsOwnParent(t *testing.T) {
	checkWaterfall(t, waterfallText(t, []*process.Lifetime{ran(1, 1, 0, 1, "loop")}, 80), 1, 80)
}

// What came in is as it was, and its order does not matter.
func TestWaterfallInAnyOrder(t *testing.T) {
	all := build()
	want := waterfallText(t, all, 100)
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		before := slices.Clone(all)
		if got := waterfallText(t, all, 100); got != want {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
		if !slices.Equal(all, before) {
			t.Fatal("Waterfall sorted what it was given")
		}
	}
}

func TestWaterfallOfRandomTrees(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 0))
		width := random.IntN(200)
		var all []*process.Lifetime
		for pid := range uint32(1 + random.IntN(100)) {
			from := process.Time(random.Uint64N(1000))
			l := ran(pid+1, random.Uint32N(pid+1), from, from+process.Time(random.Uint64N(1<<random.UintN(30))), "cmd", "\x1b\xff", strings.Repeat("x", random.IntN(100)))
			l.Status = process.Status(random.IntN(1 << 16))
			all = append(all, l)
		}
		text := waterfallText(t, all, width)
		if checkWaterfall(t, text, len(all), width); t.Failed() {
			t.Fatalf("seed %d, width %d:\n%s", seed, width, text)
		}
	}
}

func TestWaterfallOnABrokenPipe(t *testing.T) {
	w := brokenAfter(0)
	if err := Waterfall(&w, analysed(build()), 80, 0); !errors.Is(err, errBroken) {
		t.Errorf("error %v, want %v", err, errBroken)
	}
}

// A chain of processes costs memory and text in proportion to its length, and
// its end still has a readable label.
func TestWaterfallOfALongChain(t *testing.T) {
	const depth = 100_000
	a := analysed(chain(depth))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var b strings.Builder
	if err := Waterfall(&b, a, 80, 0); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	runtime.ReadMemStats(&after)
	if got, most := len(text), depth*300; got > most {
		t.Errorf("%d bytes of text, want %d at most", got, most)
	}
	// With an indent of its own for each level it were 20 GB.
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(depth*5000); got > most {
		t.Errorf("%d bytes allocated, want %d at most", got, most)
	}
	if want := fmt.Sprintf("└ level%d ", depth-1); !strings.Contains(text, want) {
		t.Errorf("the last process, %q, is not shown", want)
	}
	checkWaterfall(t, text, depth, 80)
}

// Alike siblings share a row, and what matters least gives way.
func TestWaterfallFolded(t *testing.T) {
	all := []*process.Lifetime{ran(1, 0, 0, 1000, "make")}
	for i := range uint32(9) {
		all = append(all, ran(10+i, 1, process.Time(i*100), process.Time(i*100+50), "cc", fmt.Sprint(i)))
	}
	for i := range uint32(8) {
		all = append(all, ran(30+i, 1, process.Time(i*100), process.Time(i*100+50), "ld", fmt.Sprint(i)))
	}
	ended(all[3], 1<<8)
	var b strings.Builder
	if err := Waterfall(&b, analysed(all), 80, DefaultRows); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "folded", b.String(), *update)
	for i := range uint32(200) {
		all = append(all, ran(100+2*i, 1, process.Time(i), process.Time(i+3), "sh", fmt.Sprint(i)), ran(101+2*i, 100+2*i, process.Time(i+1), process.Time(i+2), "sed"))
	}
	ended(all[len(all)-1], 1<<8)
	// trees has room for all rows once sh is folded, chosen has not.
	for name, most := range map[string]int{"trees": 20, "chosen": 10} {
		b.Reset()
		if err := Waterfall(&b, analysed(all), 80, most); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, name, b.String(), *update)
		if rows := strings.Count(b.String(), "\n"); rows > most {
			t.Errorf("%d rows, want %d at most", rows, most)
		}
		if !strings.Contains(b.String(), "sed ✗ exit 1") {
			t.Error("the process that failed is not shown")
		}
	}
}
