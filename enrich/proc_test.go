package enrich

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
		start uint64
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
		{"empty", "", 0, "no name in it"},
		{"no parentheses", strings.Repeat("7 ", 52), 0, "no name in it"},
		{"cut in the name", "7 (pro", 0, "no name in it"},
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
				Executable: "/usr/bin/prog (deleted)", WorkingDirectory: "/srv",
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

// What may not be read is absent, and the rest is there.
func TestImageInPart(t *testing.T) {
	for _, missing := range []string{"exe", "cwd", "cmdline", "environ"} {
		t.Run(missing, func(t *testing.T) {
			proc := procfs(t, statLine("ls", 4711), "ls\x00")
			if err := os.Remove(filepath.Join(proc.root, "7", missing)); err != nil {
				t.Fatal(err)
			}
			want := process.Image{Executable: "/usr/bin/prog (deleted)", WorkingDirectory: "/srv", Args: "ls\x00", ArgsCount: 1, Environment: "A=1\x00"}
			switch missing {
			case "exe":
				want.Executable = ""
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

// FuzzStartTicksOfName: the start time is right whatever the name holds.
func FuzzStartTicksOfName(f *testing.F) {
	f.Add("prog", uint64(4711))
	f.Add(") S 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 (", uint64(0))
	path := filepath.Join(f.TempDir(), "stat")
	f.Fuzz(func(t *testing.T, comm string, start uint64) {
		if err := os.WriteFile(path, []byte(statLine(comm, start)), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := startTicks(path); err != nil || got != start {
			t.Errorf("got %d, %v of %q, want %d", got, err, comm, start)
		}
	})
}

// FuzzStartTicks: of anything, the answer is the 20th word after the last
// parenthesis or an error.
func FuzzStartTicks(f *testing.F) {
	f.Add([]byte(statLine("prog", 4711)))
	f.Add([]byte("7 (prog) S 1"))
	f.Add([]byte("))))"))
	f.Add([]byte("7 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 +1"))
	path := filepath.Join(f.TempDir(), "stat")
	f.Fuzz(func(t *testing.T, stat []byte) {
		if err := os.WriteFile(path, stat, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := startTicks(path)
		if err != nil {
			if got != 0 {
				t.Errorf("got %d and the error %v", got, err)
			}
			return
		}
		parts := strings.Split(string(stat), ")")
		words := strings.Fields(parts[len(parts)-1])
		if len(parts) < 2 || len(words) < 20 || strings.TrimLeft(words[19], "0") != strings.TrimLeft(strconv.FormatUint(got, 10), "0") {
			t.Errorf("got %d of %q", got, stat)
		}
	})
}
