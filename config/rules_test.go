package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/procspan/procspan/rules"
)

// invalidRules are rules that cannot be; what is reported of each stands in
// testdata/rules-problems.txt.
var invalidRules = []string{
	// The rule itself.
	`probs`,
	`sh`,
	`""`,
	`42`,
	`[]`,
	`[{preset: probs}]`,
	`{preset: probes, action: drop}`,
	`{preset: [probes]}`,
	`[probes]`,
	`[~]`,
	`{match: {}}`,
	`{action: drop}`,
	`{name: [x], match: {}, action: drop}`,
	`{name: "", match: {}, action: dorp}`,
	`{matches: {executable: sh}, action: drop}`,
	`{match: sh, action: drop}`,
	`{match: [sh], action: drop}`,
	`{match: {}, action: ignore}`,
	`{match: {}, action: [drop]}`,
	`{match: {}, action: {sample: 0.1}}`,
	`{match: {}, actions: drop}`,
	`{match: {}, drop: true}`,
	`{match: {}, sample: 10%}`,
	`{match: {}, sample: 1.5}`,
	`{match: {}, sample: -0.1}`,
	`{match: {}, sample: 0.1, action: keep}`,
	`{match: {}, keep_failed: true}`,
	`{match: {}, action: keep, keep_failed: true}`,
	`{match: {}, action: drop, keep_failed: yes}`,
	`[{name: a, match: {user: x}, action: drop}, {name: a, match: {user: y}, action: drop}]`,
	`[{match: {}, action: drop}, {name: late, match: {user: x}, action: keep}]`,
	// What a rule does.
	`{match: {}, args: none}`,
	`{match: {}, args: {drop_after: 0}}`,
	`{match: {}, args: {dropAfter: 8}}`,
	`{match: {}, args: {policy: some, drop_after: 1}}`,
	`{match: {}, args: [off]}`,
	`{match: {}, args: 8}`,
	`{match: {}, attributes: all}`,
	`{match: {}, attributes: [service.name]}`,
	`{match: {}, span_name: [script]}`,
	`{match: {}, set: {service.name: 1}}`,
	`{match: {}, set: {service.name: [a]}}`,
	`{match: {}, set: {service.name: "${CI_JOB}"}}`,
	`{match: {}, set: {service.name: "$CI_JOB"}}`,
	`{match: {}, set: {service.name: "${env:CI-JOB}"}}`,
	`{match: {}, set: {"": x}}`,
	`{match: {}, set: {process.pid: "1", team: x}}`,
	`{match: {}, set: {a: x, a: y}}`,
	`{match: {}, set: service.name=x}`,
	`{match: {}, expected_exits: 24}`,
	`{match: {}, expected_exits: [0]}`,
	`{match: {}, expected_exits: [failed]}`,
	`{match: {}, expected_exits: [24, SIGTERM, 24, TERM]}`,
	// What it matches.
	`{match: {excutable: sh}, action: drop}`,
	`{match: {executable: []}, action: drop}`,
	`{match: {executable: ""}, action: drop}`,
	`{match: {executable: "[a"}, action: drop}`,
	`{match: {executable: "[z-a]"}, action: drop}`,
	`{match: {executable: 'a\'}, action: drop}`,
	`{match: {executable: {name: sh}}, action: drop}`,
	`{match: {executable: [sh, 7, ~]}, action: drop}`,
	`{match: {args: [-c, "[!"]}, action: drop}`,
	`{match: {user: ""}, action: drop}`,
	`{match: {user: "a:b"}, action: drop}`,
	`{match: {user: [root, 1.5]}, action: drop}`,
	`{match: {runtime: rkt}, action: drop}`,
	`{match: {runtime: [docker, container]}, action: drop}`,
	`{match: {parent: [make, "\\"]}, action: drop}`,
	`{match: {ancestors: cron}, action: drop}`,
	`{match: {interactive: yes}, action: drop}`,
	`{match: {outside_init: 1}, action: drop}`,
	`{match: {environment: CI}, action: drop}`,
	`{match: {environment: {CI: true}}, action: drop}`,
	`{match: {environment: {"A=B": x}}, action: drop}`,
	`{match: {environment: {A: []}}, action: drop}`,
	`{match: {exit: success}, action: drop}`,
	`{match: {exit: fail}, action: drop}`,
	`{match: {exit: 256}, action: drop}`,
	`{match: {exit: [kill, SIGFOO]}, action: drop}`,
	`{match: {exit: failed}, trace: x}`,
	`{match: {}, trace: "${CI_JOB}"}`,
	`{match: {}, trace: [x]}`,
	`{match: {duration: 5s}, action: drop}`,
	`{match: {duration: {below: 5}}, action: drop}`,
	`{match: {duration: {below: 0s}}, action: drop}`,
	`{match: {duration: {over: 5s}}, action: drop}`,
	`{match: {duration: {above: 5s, below: 5s}}, action: drop}`,
	`{match: {cpu: {above: 1m, below: 1s}}, action: drop}`,
	`{match: {peak_rss: {above: 1GB}}, action: drop}`,
	`{match: {peak_rss: {above: 2GiB, below: 1GiB}}, action: drop}`,
	`{match: {oom: "true"}, action: drop}`,
	`{match: {exit: 0, duration: {below: 1s}}, action: drop_tree}`,
	`{match: {oom: true}, sample: 0.5}`,
	"- match: {executable: sh\n  action: drop",
	"{match: {executable: *}, action: drop}",
}

func TestInvalidRules(t *testing.T) {
	got := ""
	for _, in := range invalidRules {
		set, err := ParseRules("--rule", in)
		if err == nil {
			t.Errorf("ParseRules(%s) = %+v, want an error", in, set)
			continue
		}
		got += in + "\n\t" + strings.ReplaceAll(err.Error(), "\n", "\n\t") + "\n"
	}
	golden(t, "testdata/rules-problems.txt", got)
}

func TestRules(t *testing.T) {
	half, yes := 0.5, true
	glob := func(parse func(string) (rules.Glob, error), patterns ...string) (all []rules.Glob) {
		for _, p := range patterns {
			g, err := parse(p)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, g)
		}
		return all
	}
	template, err := rules.ParseTemplate("${env:CI_PROJECT}/x")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]rules.Set{
		`{match: , attributes: full}`: {{Attributes: "full"}},
		`{match: {executable: gcc*, user: 1000, exit: 0, interactive: true, duration: {below: 5s}}, action: drop}`: {{
			Match: rules.Match{Executable: glob(rules.ParsePath, "gcc*"), User: []string{"1000"}, Exit: []rules.Exit{{}},
				Interactive: &yes, Duration: rules.Duration{Below: 5 * time.Second}},
			Action: rules.Drop,
		}},
		`[{match: {ancestor: [cron, /usr/sbin/crond]}, sample: 0.5, keep_failed: true}]`: {{
			Match: rules.Match{Ancestor: glob(rules.ParsePath, "cron", "/usr/sbin/crond")}, Sample: &half, KeepFailed: true,
		}},
		`{match: {environment: {CI: "*", A: [b, c]}, exit: [failed, SIGTERM]}, args: off, set: {service.name: "${env:CI_PROJECT}/x"}}`: {{
			Match: rules.Match{
				Environment: rules.Environment{{Name: "CI", Values: glob(rules.ParseGlob, "*")}, {Name: "A", Values: glob(rules.ParseGlob, "b", "c")}},
				Exit:        []rules.Exit{{Failed: true}, {Status: 15}},
			},
			Args: rules.Args{Policy: "off"}, Set: rules.Settings{{Name: "service.name", Value: template}},
		}},
		`{match: {}, args: {policy: full, drop_after: 8}, expected_exits: [24, SIGHUP]}`: {{
			Args: rules.Args{Policy: "full", DropAfter: 8}, ExpectedExits: Exits{24 << 8, 1},
		}},
	} {
		t.Run(text, func(t *testing.T) {
			got, err := ParseRules("--rule", text)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
			c := Default()
			c.Rules = got
			checkReparses(t, c)
		})
	}
}

// TestPresets: each preset is valid by itself and within the limits, prints as
// what it means, and can be used by its name, in a file and on the command line.
func TestPresets(t *testing.T) {
	presets := presetNames()
	words := describe(reflect.TypeFor[rules.Rule]()).key("preset").kind.schema["enum"].([]string)
	if len(presets) == 0 || !slices.Equal(slices.Sorted(slices.Values(presets)), slices.Sorted(slices.Values(words))) {
		t.Errorf("presets %q, words %q", presets, words)
	}
	for _, name := range presets {
		t.Run(name, func(t *testing.T) {
			set := Preset(name)
			if len(set) == 0 {
				t.Fatal("no rules")
			}
			if n := len(set.Variables()); n > maxVariables {
				t.Errorf("%d variables: %q", n, set.Variables())
			}
			if got, err := ParseRules("--rule", name); err != nil || !reflect.DeepEqual(got, set) {
				t.Errorf("ParseRules = %+v, %v", got, err)
			}
			c := mustParse(t, "file_format: '1.0'\ndistribution: {procspan: {rules: [{preset: "+name+"}, {match: {user: x}, attributes: full}]}}", nil)
			if !reflect.DeepEqual(c.Rules[:len(set)], set) || len(c.Rules) != len(set)+1 {
				t.Errorf("in a file: %+v", c.Rules)
			}
			checkReparses(t, c)
		})
	}
}

// presetNames are those of the file of presets, which are also the words of the
// key preset.
func presetNames() (names []string) {
	var doc yaml.Node
	if err := yaml.Load(presetsFile, &doc); err != nil {
		panic(err)
	}
	for i := 0; i < len(doc.Content[0].Content); i += 2 {
		names = append(names, doc.Content[0].Content[i].Value)
	}
	return names
}

func TestRulesAndCapturedVariables(t *testing.T) {
	_, err := Parse("x.yml", []byte(`file_format: "1.0"
distribution:
  procspan:
    capture: {environment: [X]}
    rules:
      - preset: ci
`), lookup(nil))
	want := "x.yml:6: distribution.procspan.rules: need 30 variables of the environment, with those of capture.environment (at most 29); remove some"
	if err == nil || !strings.HasSuffix(err.Error(), want) || slices.Contains(Preset("ci").Variables(), "X") {
		t.Errorf("error %v, want %s", err, want)
	}
}
