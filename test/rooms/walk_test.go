package rooms

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// mostCalls bounds the call path of an exec, from the kernel to the socket.
const mostCalls = 40

// The call path of an exec in ARCHITECTURE.md is that of the code: every function is
// there and is called by one before it, but where a program or a goroutine begins; and no
// room but the event loop's is entered twice.
func TestWalk(t *testing.T) {
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "## The call path of an exec\n")
	_, after, _ = strings.Cut(after, "```\n")
	walk, _, ok := strings.Cut(after, "```\n")
	if !ok {
		t.Fatal("ARCHITECTURE.md has no call path of an exec")
	}
	var room string
	var left []string
	var code map[string]map[string]bool
	var path []map[string]bool
	remark := regexp.MustCompile(`\s{3,}\S.*$`)
	for line := range strings.Lines(walk) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if line[0] != ' ' {
			if room = strings.Fields(line)[0]; room != "agent" && slices.Contains(left, room) {
				t.Errorf("%s is entered twice", room)
			}
			left = append(left, room)
			line, code = strings.TrimPrefix(line, room), called(t, room)
		}
		_, after, begins := strings.Cut(line, "another goroutine:")
		if begins {
			line = after
		}
		begins = begins || len(path) == 0 || len(left) == 2 && room == "agent" // the kernel's, and the event loop
		for name := range strings.SplitSeq(remark.ReplaceAllString(strings.TrimSpace(line), ""), " → ") {
			last := name[strings.LastIndex(name, ".")+1:]
			switch {
			case code[name] == nil:
				t.Errorf("%s has no %s", room, name)
			case !begins && !slices.ContainsFunc(path, func(body map[string]bool) bool { return body[last] }):
				t.Errorf("%s: nothing before %s on the path calls it", room, name)
			}
			path, begins = append(path, code[name]), false
		}
	}
	t.Logf("%d functions", len(path))
	if len(path) < mostCalls/2 || len(path) > mostCalls {
		t.Errorf("the path has %d functions, want up to %d", len(path), mostCalls)
	}
}

// called returns what each function of a room calls, by its name and, for a method, by
// its receiver's and its own.
func called(t *testing.T, room string) map[string]map[string]bool {
	t.Helper()
	all := make(map[string]map[string]bool)
	if room == "kernel" {
		return calledInC(t, all)
	}
	files, err := filepath.Glob(filepath.Join("../..", room, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			function, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			body := identifiers(function)
			if bare := all[function.Name.Name]; bare != nil { // one of several of that name
				maps.Copy(bare, body)
			} else {
				all[function.Name.Name] = maps.Clone(body)
			}
			if function.Recv != nil {
				for receiver := range identifiers(function.Recv.List[0].Type) {
					all[receiver+"."+function.Name.Name] = body
				}
			}
		}
	}
	return all
}

// identifiers returns those in a part of a file, but for the name of a function.
func identifiers(of ast.Node) map[string]bool {
	all := make(map[string]bool)
	ast.Inspect(of, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			all[id.Name] = true
		}
		return true
	})
	if function, ok := of.(*ast.FuncDecl); ok {
		delete(all, function.Name.Name) // but one that calls another of its name is not told apart
	}
	return all
}

// calledInC does so for the BPF programs, whose definitions begin at the margin.
func calledInC(t *testing.T, all map[string]map[string]bool) map[string]map[string]bool {
	files, err := filepath.Glob("../../bpf/*.bpf.[ch]")
	if err != nil {
		t.Fatal(err)
	}
	name, word := "", regexp.MustCompile(`\w+`)
	definition := regexp.MustCompile(`^\w[\w\s*]*[\s*](?:BPF_PROG\()?(\w+)[(,]`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if m := definition.FindStringSubmatch(line); m != nil {
				name = m[1]
				all[name] = make(map[string]bool)
			} else if all[name] != nil {
				for _, w := range word.FindAllString(line, -1) {
					all[name][w] = true
				}
			}
		}
	}
	return all
}
