package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// build compares make -j2 of a C project without and with procspan. It is nil
// where there is no compiler.
func (l *lab) build(ctx context.Context, p plan) (*build, error) {
	for _, tool := range []string{"make", "gcc"} {
		if _, err := exec.LookPath(tool); err != nil {
			l.say("the build is left out: %s is not installed", tool)
			return nil, nil
		}
	}
	dir := filepath.Join(l.dir, "project")
	if err := writeProject(dir, p.Compiles); err != nil {
		return nil, err
	}
	if _, err := compile(ctx, dir); err != nil { // warms up
		return nil, err
	}
	b := &build{}
	for i := range p.Builds {
		r := buildRound{}
		var err error
		if r.Without, err = compile(ctx, dir); err != nil {
			return nil, err
		}
		t, err := l.startProcspan(ctx, setup{})
		if err != nil {
			return nil, err
		}
		r.With, err = compile(ctx, dir)
		received, ended := t.finish()
		if err != nil {
			return nil, err
		}
		if ended != nil {
			return nil, ended
		}
		r.Spans = received.Spans + received.OtherSpans
		l.say("build %d/%d: time × %.3f, CPU × %.3f, %d spans", i+1, p.Builds, r.ratio(), r.cpuRatio(), r.Spans)
		b.Rounds = append(b.Rounds, r)
	}
	return b, nil
}

// clean removes what a build makes.
func clean(dir string) error {
	objects, err := filepath.Glob(filepath.Join(dir, "*.o"))
	if err != nil {
		return err
	}
	for _, file := range append(objects, filepath.Join(dir, "project")) {
		if err := os.RemoveAll(file); err != nil {
			return fmt.Errorf("clean the project: %w", err)
		}
	}
	return nil
}

// compile builds the project from nothing.
func compile(ctx context.Context, dir string) (done load, err error) {
	if err := clean(dir); err != nil {
		return done, err
	}
	cmd := exec.CommandContext(ctx, "make", "-s", "-j2")
	cmd.Dir = dir
	cmd.Env = append(plainEnvironment(), "TMPDIR="+dir)
	host, err := hostCPU()
	if err != nil {
		return done, err
	}
	begin := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return done, fmt.Errorf("make: %w\n%s", err, out)
	}
	done.Took = int64(time.Since(begin))
	done.CPU = int64(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime())
	hostAfter, err := hostCPU()
	done.HostCPU = hostAfter - host
	return done, err
}

// writeProject writes a C program of n files and its Makefile.
func writeProject(dir string, n int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files := map[string]string{"Makefile": `CFLAGS := -O1 -Wall
objects := $(patsubst %.c,%.o,$(wildcard *.c))
project: $(objects)
	$(CC) -o $@ $^
$(objects): project.h
`}
	var header, calls strings.Builder
	for i := range n {
		name := fmt.Sprintf("unit%04d", i)
		fmt.Fprintf(&header, "int %s(int);\n", name)
		fmt.Fprintf(&calls, "\tsum += %s(sum);\n", name)
		files[name+".c"] = unit(name)
	}
	files["project.h"] = header.String()
	files["main.c"] = "#include <stdio.h>\n#include \"project.h\"\n\nint main(void)\n{\n\tint sum = 1;\n" +
		calls.String() + "\tprintf(\"%d\\n\", sum);\n\treturn 0;\n}\n"
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("write the project: %w", err)
		}
	}
	return nil
}

// unit is a C file with some functions: enough that compiling it is most of
// what its processes do.
func unit(name string) string {
	var text strings.Builder
	text.WriteString("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include \"project.h\"\n")
	const functions = 12
	for i := range functions {
		fmt.Fprintf(&text, `
static int step%d(int n, char *text, size_t size)
{
	int sum = n;
	for (int i = 0; i < %d && (size_t)i < size; i++) {
		if (sum & 1)
			sum = sum * 3 + text[i];
		else
			sum >>= 1;
		text[i] = (char)(sum %% 26 + 'a');
	}
	return sum + (int)strlen(text);
}
`, i, i+7)
	}
	fmt.Fprintf(&text, "\nint %s(int n)\n{\n\tchar text[64];\n\tint sum = snprintf(text, sizeof text, \"%%d\", n);\n", name)
	for i := range functions {
		fmt.Fprintf(&text, "\tsum += step%d(sum, text, sizeof text - 1);\n", i)
	}
	text.WriteString("\treturn sum;\n}\n")
	return text.String()
}
