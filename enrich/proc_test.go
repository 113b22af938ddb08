package enrich

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
)

func TestImage(t *testing.T) {
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if executable, err = filepath.EvalSymlinks(executable); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, comm, dir string
		args            []string
	}{
		{"plain", "plain", "plain", []string{"sleep", "5"}},
		{"argv[0] only", "x", "d", []string{"-bash"}},
		{"empty arguments", "x", "d", []string{"", "", "a", ""}},
		{"blanks, newlines, no UTF-8", "x", "a dir\nü\xff", []string{"a b", "c\nd", "\xff\x1b[31m", "ü"}},
		{"a name with parentheses", "a) b (c", "d) S 1", []string{") S 1 2 3"}},
		{"a name like a stat line", ") R 1 2 3 4 5", "d", []string{"x"}},
		{"many arguments", "x", "d", slices.Repeat([]string{"0123456789"}, 5000)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), tc.dir)
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			id, _ := child(t, tc.comm, dir, tc.args)
			if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id.PID)); err != nil || !strings.Contains(string(stat), "("+tc.comm+")") {
				t.Fatalf("the child is not named %q: %s, %v", tc.comm, stat, err)
			}
			got, err := NewProc("/proc").Image(id, 1<<20, []string{"FIRST", "LAST", "ABSENT"})
			if err != nil {
				t.Fatal(err)
			}
			want := process.Image{
				Executable: executable, WorkingDirectory: dir,
				Args: strings.Join(tc.args, "\x00") + "\x00", ArgsCount: len(tc.args),
				Environment: "FIRST=1\x00LAST=\x00",
			}
			if got != want {
				t.Errorf("got\n\t%#v\nwant\n\t%#v", got, want)
			}
		})
	}
}

func TestImageOfZombie(t *testing.T) {
	id, end := child(t, "x", t.TempDir(), []string{"x"})
	end()
	got, err := NewProc("/proc").Image(id, 100, nil)
	if err != nil || got != (process.Image{}) {
		t.Errorf("got %+v, %v; want an empty image: it is there and has no program any more", got, err)
	}
}

func TestImageOfAnother(t *testing.T) {
	id, _ := child(t, "x", t.TempDir(), []string{"secret"})
	for _, tc := range []struct {
		name  string
		start process.Time
	}{
		{"started a tick earlier", id.Start - clockTick},
		{"started a tick later", id.Start + clockTick},
		{"started at boot", 0},
		{"started never", 1<<64 - 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := NewProc("/proc").Image(process.ID{PID: id.PID, Start: tc.start}, 100, nil)
			if !errors.Is(err, ErrGone) {
				t.Errorf("error %v, want %v", err, ErrGone)
			}
			if got != (process.Image{}) {
				t.Errorf("the image of another process: %+v", got)
			}
		})
	}
}

func TestImageOfTheGone(t *testing.T) {
	// A pid that no process can have: pid_max is at most 1<<22.
	_, err := NewProc("/proc").Image(process.ID{PID: 1<<22 + 1, Start: 1}, 100, nil)
	if !errors.Is(err, ErrGone) {
		t.Errorf("error %v, want %v", err, ErrGone)
	}
}

// A process may end between the open and the read of its stat file.
func TestStartTicksOfTheGone(t *testing.T) {
	var stat *os.File
	t.Run("child", func(t *testing.T) { // its end reaps the child
		id, _ := child(t, "x", t.TempDir(), []string{"x"})
		var err error
		if stat, err = os.Open(fmt.Sprintf("/proc/%d/stat", id.PID)); err != nil {
			t.Fatal(err)
		}
	})
	defer stat.Close()
	_, err := startTicks(fmt.Sprintf("/proc/self/fd/%d", stat.Fd()))
	if !errors.Is(err, ErrGone) {
		t.Errorf("error %v, want %v", err, ErrGone)
	}
}

// procfs makes a tree that looks like a procfs with the process 7 in it.
func procfs(t *testing.T, stat, cmdline string) Proc {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "7")
	err := errors.Join(
		os.Mkdir(dir, 0o755),
		os.Symlink("/usr/bin/prog (deleted)", filepath.Join(dir, "exe")),
		os.Symlink("/srv", filepath.Join(dir, "cwd")),
		os.WriteFile(filepath.Join(dir, "cmdline"), []byte(cmdline), 0o644),
		os.WriteFile(filepath.Join(dir, "environ"), []byte("B=2\x00A=1\x00"), 0o644),
		os.WriteFile(filepath.Join(dir, "stat"), []byte(stat), 0o644),
	)
	if err != nil {
		t.Fatal(err)
	}
	return NewProc(root)
}

// statLine is a line of /proc/PID/stat: 52 fields.
func statLine(comm string, start uint64) string {
	return fmt.Sprintf("7 (%s) S 1 7 7 34816 9 4194304 100 0 0 0 11 12 13 14 20 0 1 0 %d 4096 5"+strings.Repeat(" 0", 28)+"\n", comm, start)
}

func TestStartTicks(t *testing.T) {
	for _, tc := range []struct {
		name, stat string
		want       uint64
		err        string // a part of it
	}{
		{"plain", statLine("prog", 4711), 4711, ""},
		{"a blank in the name", statLine("tmux: server", 4711), 4711, ""},
		{"parentheses in the name", statLine("a) (b", 4711), 4711, ""},
		{"a name that ends like a name", statLine("a) S 1 2 3 4 5 6 7 8 9 (b)", 4711), 4711, ""},
		{"a newline in the name", statLine("a\nb", 4711), 4711, ""},
		{"no name", statLine("", 4711), 4711, ""},
		{"at boot", statLine("init", 0), 0, ""},
		{"the largest", statLine("prog", 1<<64-1), 1<<64 - 1, ""},
		{"ends with field 22", "7 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711", 4711, ""},
		{"a field short", "7 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18", 0, "it has 19 fields after the name, want 20 or more"},
		{"empty", "", 0, "it has no name"},
		{"no parentheses", strings.Repeat("7 ", 52), 0, "it has no name"},
		{"cut in the name", "7 (pro", 0, "it has no name"},
		{"cut after the name", "7 (prog)", 0, "it has 0 fields"},
		{"a start that is no number", strings.Replace(statLine("prog", 4711), "4711", "late", 1), 0, `start time: strconv.ParseUint: parsing "late"`},
		{"a start before the boot", strings.Replace(statLine("prog", 4711), "4711", "-1", 1), 0, `parsing "-1"`},
		{"a start out of range", strings.Replace(statLine("prog", 4711), "4711", "18446744073709551616", 1), 0, "value out of range"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			proc := procfs(t, tc.stat, "prog\x00")
			path := filepath.Join(proc.root, "7", "stat")
			got, err := startTicks(path)
			if tc.err == "" {
				if err != nil || got != tc.want {
					t.Errorf("got %d, %v; want %d", got, err, tc.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.err) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %d, error %v; want one with %q and the path", got, err, tc.err)
			}
			if errors.Is(err, ErrGone) {
				t.Errorf("error %v says that the process is gone; it cannot tell", err)
			}
			if image, err := proc.Image(process.ID{PID: 7}, 100, nil); err == nil || image != (process.Image{}) {
				t.Errorf("an image from a malformed file: %+v, %v", image, err)
			}
		})
	}
}

func TestStartTicksUnreadable(t *testing.T) {
	_, err := startTicks(t.TempDir()) // a directory: read gives EISDIR
	if !errors.Is(err, unix.EISDIR) || errors.Is(err, ErrGone) {
		t.Errorf("error %v, want %v and not %v", err, unix.EISDIR, ErrGone)
	}
}

func TestImageArguments(t *testing.T) {
	for _, tc := range []struct {
		name, cmdline string
		max           int
		args          string
		count         int
		cut           bool
	}{
		{"none", "", 10, "", 0, false},
		{"room to spare", "ls\x00-l\x00", 10, "ls\x00-l\x00", 2, false},
		{"just room", "ls\x00-l\x00", 6, "ls\x00-l\x00", 2, false},
		{"a byte too many", "ls\x00-l\x00", 5, "ls\x00-l", 2, true},
		{"cut in argv[0]", "ls\x00-l\x00", 1, "l", 2, true},
		{"no room", "ls\x00-l\x00", 0, "", 2, true},
		{"nothing and no room", "", 0, "", 0, false},
		{"empty ones", "\x00\x00\x00", 10, "\x00\x00\x00", 3, false},
		{"rewritten, without a NUL", "nginx: worker process", 100, "nginx: worker process", 1, false},
		{"rewritten, without the last NUL", "a\x00b", 100, "a\x00b", 2, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			proc := procfs(t, statLine("ls", 4711), tc.cmdline)
			got, err := proc.Image(process.ID{PID: 7, Start: 4711*clockTick + 9_999_999}, tc.max, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := process.Image{
				Executable: "/usr/bin/prog (deleted)", Deleted: true, WorkingDirectory: "/srv",
				Args: tc.args, ArgsCount: tc.count, ArgsCut: tc.cut,
			}
			if got != want {
				t.Errorf("got\n\t%#v\nwant\n\t%#v", got, want)
			}
			if words := slices.Collect(got.Arguments()); !tc.cut && len(words) != tc.count {
				t.Errorf("arguments %q, counted %d", words, tc.count)
			}
		})
	}
}

// A file that cannot be read leaves its part empty, and no other.
func TestImageInPart(t *testing.T) {
	for _, missing := range []string{"exe", "cwd", "cmdline", "environ"} {
		t.Run(missing, func(t *testing.T) {
			proc := procfs(t, statLine("ls", 4711), "ls\x00")
			if err := os.Remove(filepath.Join(proc.root, "7", missing)); err != nil {
				t.Fatal(err)
			}
			want := process.Image{Executable: "/usr/bin/prog (deleted)", Deleted: true, WorkingDirectory: "/srv", Args: "ls\x00", ArgsCount: 1, Environment: "A=1\x00"}
			switch missing {
			case "exe":
				want.Executable, want.Deleted = "", false
			case "cwd":
				want.WorkingDirectory = ""
			case "cmdline":
				want.Args, want.ArgsCount = "", 0
			case "environ":
				want.Environment, want.EnvironmentCut = "", true
			}
			got, err := proc.Image(process.ID{PID: 7, Start: 4711 * clockTick}, 100, []string{"A"})
			if err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		})
	}
}

// A path that ends in the kernel's mark may be a name.
func TestUnlinked(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "x"+process.DeletedMark))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	link := fmt.Sprintf("/proc/self/fd/%d", file.Fd())
	if unlinked(link) {
		t.Errorf("%s counts as deleted", file.Name())
	}
	if err := os.Remove(file.Name()); err != nil {
		t.Fatal(err)
	}
	if !unlinked(link) {
		t.Errorf("%s, removed, does not count as deleted", file.Name())
	}
}

// Files of gigabytes cost no more than their bounds, and name no variable that is
// cut. The files are sparse.
func TestImageOfHugeFiles(t *testing.T) {
	proc := procfs(t, statLine("ls", 4711), "")
	for _, name := range []string{"cmdline", "environ"} {
		path := filepath.Join(proc.root, "7", name)
		write(t, path, "A=1")
		if err := os.Truncate(path, 2<<30); err != nil {
			t.Fatal(err)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := proc.Image(process.ID{PID: 7, Start: 4711 * clockTick}, 10, []string{"A", "B"})
	runtime.ReadMemStats(&after)
	want := process.Image{
		Executable: "/usr/bin/prog (deleted)", Deleted: true, WorkingDirectory: "/srv",
		Args: "A=1" + strings.Repeat("\x00", 7), ArgsCut: true, // not counted
		Environment: "A=1\x00", EnvironmentCut: true,
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	// The files have 4 GiB. What is read grows by doubling, and under the race
	// detector by somewhat more.
	if used, most := after.TotalAlloc-before.TotalAlloc, uint64(8*(environReadMax+argsReadMax)); used > most {
		t.Errorf("reading took %d bytes of memory, want %d at most", used, most)
	}
}

func TestEnvironment(t *testing.T) {
	for _, tc := range []struct {
		name, environ string
		names         []string
		want          string
		complete      bool
	}{
		{"the first of each", "A=1\x00A=2\x00B=\x00B=3\x00", []string{"B", "A"}, "A=1\x00B=\x00", true},
		{"no prefix of a name", "AB=1\x00A\x00=A\x00", []string{"A"}, "", true},
		{"the last without its NUL", "B=1\x00A=2", []string{"A"}, "A=2\x00", true},
		{"too long a value", "A=" + strings.Repeat("x", variableMax) + "\x00A=2\x00B=3\x00", []string{"A", "B"}, "B=3\x00", false},
		{"many of one name", strings.Repeat("A=\x00", 80_000) + "B=1\x00", []string{"A", "B"}, "A=\x00B=1\x00", true},
		{"250,000 TRACEPARENT=", strings.Repeat("TRACEPARENT=\x00", 250_000), []string{"TRACEPARENT", "TRACESTATE"}, "TRACEPARENT=\x00", false},
		{"cut in a name", strings.Repeat("A=\x00", environReadMax/3) + "B=1\x00", []string{"B"}, "", false},
		{"one name without end", strings.Repeat("A", environReadMax+1), []string{"A"}, "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "environ")
			write(t, path, tc.environ)
			got, complete := environment(path, tc.names)
			if got != tc.want || complete != tc.complete {
				t.Errorf("got %q, %v; want %q, %v", got, complete, tc.want, tc.complete)
			}
			if allocs := testing.AllocsPerRun(1, func() { environment(path, tc.names) }); allocs > 40 {
				t.Errorf("%v allocations", allocs)
			}
		})
	}
}

// All variables together are bounded, too.
func TestEnvironmentTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "environ")
	value := strings.Repeat("x", 8000)
	write(t, path, "A="+value+"\x00B="+value+"\x00C="+value+"\x00D=1\x00")
	got, complete := environment(path, []string{"A", "B", "C", "D"})
	if want := "A=" + value + "\x00B=" + value + "\x00D=1\x00"; got != want || complete {
		t.Errorf("got %d bytes, complete %v; want %d, false", len(got), complete, len(want))
	}
}
