// Package workflows checks what runs on other people's CI: the workflows of this
// repository by actionlint, and the composite action's steps as if they were a
// workflow's.
package workflows

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
	"sigs.k8s.io/yaml"
)

func lint(t *testing.T, path string, content []byte) {
	t.Helper()
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	problems, err := linter.Lint(path, content, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s:%d:%d: %s (%s)", path, p.Line, p.Column, p.Message, p.Kind)
	}
}

func TestWorkflows(t *testing.T) {
	files, err := filepath.Glob("../../.github/workflows/*.yml")
	if err != nil || len(files) != 2 {
		t.Fatalf("workflows are %q (%v), want 2", files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lint(t, file, content)
	}
}

// TestAction turns the action into a reusable workflow with the same inputs and
// steps, which actionlint understands.
func TestAction(t *testing.T) {
	content, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var action struct {
		Inputs map[string]map[string]any `json:"inputs"`
		Runs   struct {
			Using string           `json:"using"`
			Steps []map[string]any `json:"steps"`
		} `json:"runs"`
	}
	if err := yaml.Unmarshal(content, &action); err != nil {
		t.Fatal(err)
	}
	// GitHub evaluates expressions everywhere in the file, in descriptions too, and
	// loads no action whose expression names what only a step has.
	if head, _, _ := strings.Cut(string(content), "\nruns:"); strings.Contains(head, "${{") {
		t.Error("there is an expression before runs: GitHub does not load such an action")
	}
	if action.Runs.Using != "composite" || len(action.Runs.Steps) < 4 {
		t.Fatalf("the action is %q with %d steps", action.Runs.Using, len(action.Runs.Steps))
	}
	for name, input := range action.Inputs {
		if input["description"] == nil {
			t.Errorf("input %s has no description", name)
		}
		input["type"] = "string"
	}
	workflow, err := yaml.Marshal(map[string]any{
		"name": "action", "on": map[string]any{"workflow_call": map[string]any{"inputs": action.Inputs}},
		"jobs": map[string]any{"action": map[string]any{"runs-on": "ubuntu-24.04", "steps": action.Runs.Steps}},
	})
	if err != nil {
		t.Fatal(err)
	}
	lint(t, "action.yml", workflow)
	// What an attacker can write into an input must not become a script.
	for _, step := range action.Runs.Steps {
		if script, _ := step["run"].(string); strings.Contains(script, "${{") {
			t.Errorf("step %q has an expression in its script: pass it by env", step["name"])
		}
	}
}
