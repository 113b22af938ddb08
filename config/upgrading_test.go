package config

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestUpgradeNotes holds that docs/upgrading.md names each option whose default
// changed, or that is gone, below the version that changed it. The defaults of each
// release stand in testdata/defaults; the newest release of CHANGELOG.md is one of
// them.
func TestUpgradeNotes(t *testing.T) {
	changelog, notes := readText(t, "../CHANGELOG.md"), readText(t, "../docs/upgrading.md")
	var releases []string // the oldest first
	for _, m := range regexp.MustCompile(`(?m)^## \[([0-9][^]]*)\]`).FindAllStringSubmatch(changelog, -1) {
		releases = append([]string{m[1]}, releases...)
	}
	if len(releases) == 0 {
		t.Fatal("CHANGELOG.md has no release")
	}
	now := referenceDefaults(t)
	before, changes := storedDefaults(t, "unreleased"), 0
	for _, release := range append(releases, "Unreleased") {
		after := now
		if release != "Unreleased" {
			after = storedDefaults(t, release)
		}
		note := notesOf(notes, release)
		for option, value := range before {
			if after[option] == value {
				continue
			}
			changes++
			if short := option[strings.LastIndex(option, ".")+1:]; !strings.Contains(note, short+"`") {
				t.Errorf("docs/upgrading.md, %s: no note about %s, whose default was %s and is %s",
					release, option, value, cmp.Or(after[option], "gone"))
			}
		}
		before = after
	}
	if changes == 0 {
		t.Error("no default ever changed: the files of testdata/defaults cannot be right")
	}
}

// storedDefaults reads the defaults of a release. With -update those of a release
// that has none yet are written.
func storedDefaults(t *testing.T, release string) map[string]string {
	t.Helper()
	file := filepath.Join("testdata", "defaults", release+".txt")
	content, err := os.ReadFile(file)
	if os.IsNotExist(err) && *update {
		now := referenceDefaults(t)
		for _, option := range slices.Sorted(maps.Keys(now)) {
			content = fmt.Appendf(content, "%s: %s\n", option, now[option])
		}
		err = os.WriteFile(file, content, 0o644)
	}
	if err != nil {
		t.Fatalf("%v: a release has its defaults there (write them with -update)", err)
	}
	defaults := make(map[string]string)
	for line := range strings.Lines(string(content)) {
		option, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		defaults[option] = value
	}
	return defaults
}

var saysDefault = regexp.MustCompile(`Default: ((?:[^.]|\.\S)+)\.`)

// referenceDefaults are the options of reference.yml with their values. Where there
// is none, it is what the comment says.
func referenceDefaults(t *testing.T) map[string]string {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Load(Reference(), &doc); err != nil {
		t.Fatal(err)
	}
	defaults := make(map[string]string)
	var walk func(n *yaml.Node, path string)
	walk = func(n *yaml.Node, path string) {
		switch n.Kind {
		case yaml.DocumentNode:
			walk(n.Content[0], "")
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				key, value := n.Content[i], n.Content[i+1]
				at := join(path, key.Value)
				if value.Tag != "!!null" {
					walk(value, at)
				} else if m := saysDefault.FindStringSubmatch(unwrap(key.HeadComment)); m != nil {
					defaults[at] = m[1]
				}
			}
		case yaml.SequenceNode:
			if n.Style&yaml.FlowStyle == 0 {
				for _, item := range n.Content {
					walk(item, path)
				}
				return
			}
			var items []string
			for _, item := range n.Content {
				items = append(items, item.Value)
			}
			defaults[path] = strings.Join(items, " ")
		default:
			defaults[path] = n.Value
		}
	}
	walk(&doc, "")
	if len(defaults) < 40 {
		t.Fatalf("only %d options were found", len(defaults))
	}
	return defaults
}

// unwrap makes one line of a comment.
func unwrap(comment string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(comment, "#", " ")), " ")
}

// notesOf is the text of a document below the heading of a release.
func notesOf(document, release string) string {
	_, text, _ := strings.Cut(document, "\n## "+release+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

func readText(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
