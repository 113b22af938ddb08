package main

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write deploy/man and deploy/completions")

// TestShipped holds the man pages and the completions that packages install
// against the commands: they are generated from them, and committed.
func TestShipped(t *testing.T) {
	const deploy = "../../deploy"
	want := shipped(t)
	if *update {
		for _, dir := range []string{"man", "completions"} {
			if err := os.RemoveAll(filepath.Join(deploy, dir)); err != nil {
				t.Fatal(err)
			}
		}
		for name, text := range want {
			path := filepath.Join(deploy, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	committed := make(map[string]bool)
	for _, dir := range []string{"man", "completions"} {
		err := fs.WalkDir(os.DirFS(deploy), dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				committed[path] = true
			}
			return err
		})
		if err != nil {
			t.Fatalf("%v; go test -update writes it", err)
		}
	}
	for name, text := range want {
		if strings.HasPrefix(name, "man/") && bytes.Contains(text, []byte(`\\`)) {
			t.Errorf("deploy/%s shows a backslash, which no text has", name)
		}
		got, err := os.ReadFile(filepath.Join(deploy, name))
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("deploy/%s is not what the command says (%v): go test ./cmd/procspan -run TestShipped -update writes it", name, err)
		}
		delete(committed, name)
	}
	for name := range committed {
		t.Errorf("deploy/%s belongs to no command", name)
	}
}

// plain escapes what Markdown would take for emphasis: not in indented lines, which
// are code.
func plain(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "    ") {
			lines[i] = strings.NewReplacer("_", `\_`, "*", `\*`).Replace(line)
		}
	}
	return strings.Join(lines, "\n")
}

// shipped returns the text of each file, by its path below deploy.
func shipped(t *testing.T) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	root := newRoot()
	root.Version = ""         // it changes with each build
	root.InitDefaultHelpCmd() // as Execute does
	root.InitDefaultCompletionCmd()
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if !cmd.IsAvailableCommand() || cmd.Name() == "help" || cmd.HasParent() && cmd.Parent().Name() == "completion" {
			return
		}
		cmd.DisableAutoGenTag = true
		// GenMan reads the texts as Markdown, which they are not.
		cmd.Short, cmd.Long, cmd.Example = plain(cmd.Short), plain(cmd.Long), plain(cmd.Example)
		cmd.Flags().VisitAll(func(f *pflag.Flag) { f.Usage = plain(f.Usage) })
		var page bytes.Buffer
		name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
		header := &doc.GenManHeader{Title: strings.ToUpper(name), Section: "8", Source: "procspan", Manual: "procspan", Date: &time.Time{}}
		if err := doc.GenMan(cmd, header, &page); err != nil {
			t.Fatal(err)
		}
		// The date of a page would change with each release.
		files["man/"+name+".8"] = bytes.Replace(page.Bytes(), []byte(`"Jan 0001" `), []byte(`"" `), 1)
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	for name, generate := range map[string]func(*bytes.Buffer) error{
		"procspan.bash": func(b *bytes.Buffer) error { return root.GenBashCompletionV2(b, true) },
		"_procspan":     func(b *bytes.Buffer) error { return root.GenZshCompletion(b) },
		"procspan.fish": func(b *bytes.Buffer) error { return root.GenFishCompletion(b, true) },
	} {
		var text bytes.Buffer
		if err := generate(&text); err != nil {
			t.Fatal(err)
		}
		files["completions/"+name] = text.Bytes()
	}
	walk(root)
	return files
}
