package process

import (
	"iter"
	"strings"
)

// Image is the program that a process runs, as it was at the exec.
type Image struct {
	// Filename is the path given to execve, unresolved: it may be a symlink, a
	// script, or /dev/fd/N for execveat and fexecve (linux_binprm.filename).
	Filename string
	// Script is the script that began with #!/usr/bin/env, as Filename was, after env
	// has executed its interpreter. A Table sets it.
	Script string
	// Executable is the file that runs, as in /proc/PID/exe: symlinks are resolved,
	// a script's interpreter stands instead of the script, and " (deleted)" is
	// appended if Deleted.
	Executable string
	// Deleted is set if Executable has no name any more.
	Deleted bool
	// WorkingDirectory is the current directory at the exec.
	WorkingDirectory string
	// Args are the arguments, argv[0] first, each ended by a NUL byte. The bytes are
	// the kernel's, valid UTF-8 or not. See Arguments.
	Args string
	// ArgsCount is argc, also if Args is cut. For a script it counts the arguments
	// of the interpreter.
	ArgsCount int
	// ArgsCut is set if Args is incomplete.
	ArgsCut bool
	// Environment has those variables that were asked for and exist, as NAME=value,
	// each ended by a NUL byte. See Variable.
	Environment string
	// EnvironmentCut is set if Environment may lack variables: the environment was
	// too long, or could not be read.
	EnvironmentCut bool
	// PathCut is set if Executable or WorkingDirectory lacks its beginning, because
	// it has too many components.
	PathCut bool
}

// Arguments yields the arguments one by one, argv[0] first. The last one may be
// incomplete (ArgsCut).
func (im *Image) Arguments() iter.Seq[string] {
	return func(yield func(string) bool) {
		for rest := im.Args; rest != ""; {
			arg, after, _ := strings.Cut(rest, "\x00")
			if !yield(arg) {
				return
			}
			rest = after
		}
	}
}

// Variable returns the value of an environment variable. Like getenv, it takes the
// first of several.
func (im *Image) Variable(name string) (value string, ok bool) {
	for rest := im.Environment; rest != ""; {
		variable, after, _ := strings.Cut(rest, "\x00")
		if key, value, ok := strings.Cut(variable, "="); ok && key == name {
			return value, true
		}
		rest = after
	}
	return "", false
}

// Command returns argv[0], or "" if there is none.
func (im *Image) Command() string {
	for arg := range im.Arguments() {
		return arg
	}
	return ""
}

// Name returns the base name of the executed file: of the script, not of its
// interpreter nor of env; of the symlink, not of its target. A file that was executed through
// a descriptor (fexecve, /proc/self/exe) has no telling path; then Name is
// ExecutableName.
func (im *Image) Name() string {
	if im.Script != "" {
		return base(im.Script)
	}
	if im.Filename == "" || isDescriptor(im.Filename) {
		return im.ExecutableName()
	}
	return base(im.Filename)
}

// isDescriptor reports whether path is a link that stands for an open file:
// /dev/fd/N, but not /dev/fd/N/name (execveat below a directory);
// /proc/PID/fd/N and /proc/PID/exe, but not /proc/PID/root/name.
func isDescriptor(path string) bool {
	if rest, ok := strings.CutPrefix(path, "/dev/fd/"); ok {
		return !strings.Contains(rest, "/")
	}
	dir, last := path[:len(path)-len(base(path))], base(path)
	return strings.HasPrefix(path, "/proc/") && (last == "exe" || strings.HasSuffix(dir, "/fd/"))
}

// scriptIn returns the script that next runs, if im is a script that begins with
// #!/usr/bin/env, and next is the interpreter that env has executed: the kernel and env
// both hand the script's path on as an argument. An interpreter may be a script itself.
func (im *Image) scriptIn(next *Image) string {
	script := im.Script
	if script == "" {
		script = im.Filename
	}
	if base(im.Command()) == "env" && im.hasArgument(script) && next.hasArgument(script) {
		return script
	}
	return ""
}

// hasArgument reports whether arg is an argument after argv[0].
func (im *Image) hasArgument(arg string) bool {
	first := true
	for a := range im.Arguments() {
		if !first && a == arg {
			return true
		}
		first = false
	}
	return false
}

// DeletedMark is the end of an Executable that is Deleted.
const DeletedMark = " (deleted)"

// ExecutableName returns the base name of Executable, without DeletedMark.
func (im *Image) ExecutableName() string {
	if im.Deleted {
		return base(strings.TrimSuffix(im.Executable, DeletedMark))
	}
	return base(im.Executable)
}

func base(path string) string {
	return path[strings.LastIndexByte(path, '/')+1:]
}

// size returns how many bytes the strings take.
func (im *Image) size() int {
	return len(im.Filename) + len(im.Script) + len(im.Executable) + len(im.WorkingDirectory) + len(im.Args) + len(im.Environment)
}
