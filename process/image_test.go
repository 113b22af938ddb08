package process

import (
	"slices"
	"strings"
	"testing"
)

func TestImageName(t *testing.T) {
	for _, tc := range []struct {
		name                       string
		filename, executable, want string
	}{
		{"a file", "/usr/bin/make", "/usr/bin/make", "make"},
		{"by a relative path", "./configure", "/src/configure", "configure"},
		{"by its bare name", "a.out", "/src/a.out", "a.out"},
		{"a script", "/usr/local/bin/deploy.py", "/usr/bin/python3.13", "deploy.py"},
		{"a symlink", "/bin/ls", "/bin/busybox", "ls"},
		{"fexecve", "/dev/fd/3", "/usr/bin/true", "true"},
		{"fexecve of a memfd", "/dev/fd/3", "/memfd:payload (deleted)", "memfd:payload"},
		{"fexecve of a script", "/dev/fd/3", "/bin/dash", "dash"},
		{"execveat below a directory", "/dev/fd/3/deploy.sh", "/bin/dash", "deploy.sh"},
		{"execveat far below a directory", "/dev/fd/3/bin/deploy.sh", "/bin/dash", "deploy.sh"},
		{"a descriptor of one's own", "/proc/self/fd/6", "/usr/bin/runc", "runc"},
		{"a descriptor of another", "/proc/41/fd/6", "/usr/bin/runc", "runc"},
		{"a descriptor of a thread", "/proc/41/task/42/fd/6", "/usr/bin/runc", "runc"},
		{"oneself again", "/proc/self/exe", "/usr/bin/dockerd", "dockerd"},
		{"a file in another's root", "/proc/41/root/opt/run.sh", "/bin/dash", "run.sh"},
		{"a file in another's directory", "/proc/41/cwd/run.sh", "/bin/dash", "run.sh"},
		{"a deleted file", "/tmp/a.out", "/tmp/a.out (deleted)", "a.out"},
		{"a deleted file, known by /proc only", "", "/tmp/a.out (deleted)", "a.out"},
		{"known by /proc only", "", "/usr/bin/make", "make"},
		{"known by nothing", "", "", ""},
		{"a descriptor known by nothing", "/dev/fd/3", "", ""},
		{"a name with blanks", "/opt/My App/run me", "/opt/My App/run me", "run me"},
		{"a name that is not UTF-8", "/bin/\xff\xfe", "/bin/\xff\xfe", "\xff\xfe"},
		{"a directory that is named like fd", "/home/fd/3", "/home/fd/3", "3"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			im := Image{Filename: tc.filename, Executable: tc.executable, Deleted: strings.HasSuffix(tc.executable, DeletedMark)}
			if got := im.Name(); got != tc.want {
				t.Errorf("Name of %q, %q is %q, want %q", tc.filename, tc.executable, got, tc.want)
			}
		})
	}
}

func TestExecutableName(t *testing.T) {
	for _, tc := range []struct {
		executable string
		deleted    bool
		want       string
	}{
		{"/usr/bin/python3.13", false, "python3.13"},
		{"/tmp/a.out (deleted)", true, "a.out"},
		{"/tmp/a.out (deleted)", false, "a.out (deleted)"}, // its real name
		{"/tmp/x (deleted)/a.out", false, "a.out"},
		{"/memfd:payload (deleted)", true, "memfd:payload"},
		{"/tmp/a (deleted) (deleted)", true, "a (deleted)"},
		{"bin/cut", false, "cut"},
		{"", false, ""},
		{"", true, ""},
	} {
		im := Image{Filename: "/bin/other", Executable: tc.executable, Deleted: tc.deleted}
		if got := im.ExecutableName(); got != tc.want {
			t.Errorf("ExecutableName of %q, deleted %t, is %q, want %q", tc.executable, tc.deleted, got, tc.want)
		}
	}
}

func TestArguments(t *testing.T) {
	for _, tc := range []struct {
		name string
		args string
		want []string
	}{
		{"none at all", "", nil},
		{"one", "ls\x00", []string{"ls"}},
		{"some", "ls\x00-l\x00/tmp\x00", []string{"ls", "-l", "/tmp"}},
		{"an empty argv[0]", "\x00", []string{""}},
		{"empty ones between", "a\x00\x00\x00b\x00", []string{"a", "", "", "b"}},
		{"an empty last", "a\x00\x00", []string{"a", ""}},
		{"only empty ones", "\x00\x00\x00", []string{"", "", ""}},
		{"the last is cut", "ls\x00--col", []string{"ls", "--col"}},
		{"cut in argv[0]", "l", []string{"l"}},
		{"cut between two", "ls\x00", []string{"ls"}},
		{"newlines and no UTF-8", "sh\x00-c\x00a\nb\xff\x00", []string{"sh", "-c", "a\nb\xff"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			im := Image{Args: tc.args}
			if got := slices.Collect(im.Arguments()); !slices.Equal(got, tc.want) {
				t.Errorf("Arguments of %q are %q, want %q", tc.args, got, tc.want)
			}
			want := ""
			if len(tc.want) > 0 {
				want = tc.want[0]
			}
			if got := im.Command(); got != want {
				t.Errorf("Command of %q is %q, want %q", tc.args, got, want)
			}
		})
	}
}

func TestArgumentsStopsEarly(t *testing.T) {
	im := Image{Args: "a\x00b\x00c\x00"}
	var got []string
	for arg := range im.Arguments() {
		if got = append(got, arg); arg == "b" {
			break
		}
	}
	if want := []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLifetimeName(t *testing.T) {
	for _, tc := range []struct {
		name  string
		image Image
		comm  string
		want  string
	}{
		{"the file", Image{Filename: "/bin/ls", Executable: "/bin/busybox"}, "worker", "ls"},
		{"the executable", Image{Executable: "/bin/busybox"}, "worker", "busybox"},
		{"nothing but the task's name", Image{}, "worker", "worker"},
		{"nothing", Image{}, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := Lifetime{Image: tc.image, Comm: tc.comm}
			if got := l.Name(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestKindString(t *testing.T) {
	for kind, want := range map[Kind]string{Fork: "fork", Exec: "exec", Exit: "exit", 0: "unknown", CgroupPath: "cgroup_path", 5: "unknown"} {
		if got := kind.String(); got != want {
			t.Errorf("kind %d is %q, want %q", kind, got, want)
		}
	}
}
