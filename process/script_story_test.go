package process

import (
	"slices"
	"strings"
	"testing"
)

// A script that begins with #!/usr/bin/env has the name of the script, although the
// process executes env and then the interpreter.
func TestScriptsByEnv(t *testing.T) {
	// step is an exec with the arguments that the kernel makes.
	type step struct{ filename, executable, args string }
	for _, tc := range []struct {
		name  string
		execs []step
		names []string // after each
	}{
		{"npm", []step{
			{"/usr/bin/npm", "/usr/bin/env", "/usr/bin/env node /usr/bin/npm install"},
			{"/usr/bin/node", "/usr/bin/node", "node /usr/bin/npm install"},
		}, []string{"npm", "npm"}},
		{"env -S", []step{
			{"./envs", "/usr/bin/env", "/usr/bin/env -S_python3_-I_-u ./envs x"},
			{"/usr/bin/python3", "/usr/bin/python3.11", "python3 -I -u ./envs x"},
		}, []string{"envs", "envs"}},
		{"env of busybox", []step{
			{"./run", "/bin/busybox", "/usr/bin/env sh ./run"},
			{"/bin/sh", "/bin/busybox", "sh ./run"},
		}, []string{"run", "run"}},
		{"an interpreter that is a script by env", []step{
			{"./outer", "/usr/bin/env", "/usr/bin/env inner ./outer"},
			{"/opt/inner", "/usr/bin/env", "/usr/bin/env python3 /opt/inner ./outer"},
			{"/usr/bin/python3", "/usr/bin/python3", "python3 /opt/inner ./outer"},
		}, []string{"outer", "outer", "outer"}},
		{"what the interpreter executes then", []step{
			{"/shims/pip", "/usr/bin/env", "/usr/bin/env bash /shims/pip list"},
			{"/bin/bash", "/bin/bash", "bash /shims/pip list"},
			{"/opt/pyenv", "/usr/bin/env", "/usr/bin/env bash /opt/pyenv exec pip"},
			{"/bin/bash", "/bin/bash", "bash /opt/pyenv exec pip"},
			{"/versions/3/bin/pip", "/versions/3/bin/python", "/versions/3/bin/python /versions/3/bin/pip list"},
		}, []string{"pip", "pip", "pyenv", "pyenv", "pip"}},
		{"a command of env", []step{
			{"/usr/bin/env", "/usr/bin/env", "env CI=1 make all"},
			{"/usr/bin/make", "/usr/bin/make", "make all"},
		}, []string{"env", "make"}},
		{"a script as the command of env", []step{
			{"/usr/bin/env", "/usr/bin/env", "env ./build.sh"},
			{"./build.sh", "/bin/dash", "/bin/sh ./build.sh"},
		}, []string{"env", "build.sh"}},
		{"env as the argument of another program", []step{
			{"/usr/bin/sudo", "/usr/bin/sudo", "sudo env /usr/bin/sudo"},
			{"/usr/bin/env", "/usr/bin/env", "env /usr/bin/sudo"},
		}, []string{"sudo", "env"}},
		{"a script that env could not hand on", []step{
			{"./run", "/usr/bin/env", "/usr/bin/env node ./run"},
			{"/usr/bin/node", "/usr/bin/node", "node"},
		}, []string{"run", "node"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStory(t, roomy)
			s.fork("init", "a")
			var names []string
			for _, e := range tc.execs {
				args := strings.NewReplacer(" ", "\x00", "_", " ").Replace(e.args) + "\x00"
				s.hear(s.k.exec(s.proc("a"), Image{Filename: e.filename, Executable: e.executable, Args: args, ArgsCount: 1 + strings.Count(e.args, " ")}))
				names = append(names, s.table.find(s.proc("a").id).image.Name())
			}
			s.exit("a")
			names[len(names)-1] = s.got[0].Name()
			if !slices.Equal(names, tc.names) {
				t.Errorf("the names are %q, want %q", names, tc.names)
			}
		})
	}
}
