package config

import (
	_ "embed"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/procspan/procspan/rules"
)

// The forms of types of package rules, see adapt.
type (
	ruleForm        rules.Rule
	argsForm        rules.Args
	environmentForm rules.Environment
	settingsForm    rules.Settings
)

// check reports what a rule cannot mean.
func (f *ruleForm) check(s section) {
	r := (*rules.Rule)(f)
	acts := s.hasUnknown() || slices.ContainsFunc(s.keys(), func(key string) bool {
		return !slices.Contains([]string{"name", "match", "keep_failed"}, key)
	})
	switch keys := s.keys(); {
	case s.has("preset") && len(keys) > 1:
		s.fail("preset", "excludes all other keys (got %s); make it two rules", strings.Join(keys, ", "))
		return
	case s.has("preset"):
		return
	case !s.present("match"):
		s.missing("match", "give what the rule matches; {} is every process")
	}
	for _, p := range r.Problems() {
		if p.Key == "" && acts {
			continue // a key that could not be read would do something
		}
		at := s
		keys := strings.Split(p.Key, ".")
		for _, key := range keys[:len(keys)-1] {
			at = at.section(key)
		}
		if p.Key == "" {
			s.value.fail("%s", p.Text)
		} else {
			at.fail(keys[len(keys)-1], "%s", p.Text)
		}
	}
}

// printed prints a match that is every process.
func (f *ruleForm) printed(key string) string {
	if key == "match" && reflect.ValueOf(f.Match).IsZero() {
		return "{}"
	}
	return ""
}

// argsMapping is args with more than its policy.
type argsMapping struct {
	Policy    string `yaml:"policy" words:"off redacted full" omit:""`
	DropAfter int    `yaml:"drop_after" range:"1..1000" omit:""`
}

func (a *argsForm) read(v value) {
	policies := wordKind([]string{"off", "redacted", "full"})
	if v.node.Kind != yaml.MappingNode {
		k := *policies
		k.what = "one of off, redacted, full, or a mapping, as in {drop_after: 8}"
		if word, ok := v.parse(&k).(string); ok {
			a.Policy = word
		}
		return
	}
	v.readStruct(describe(reflect.TypeFor[argsMapping]()), reflect.ValueOf((*argsMapping)(a)).Elem())
}

func (a *argsForm) print() any {
	if a.DropAfter == 0 {
		return a.Policy
	}
	return pairsOf(describe(reflect.TypeFor[argsMapping]()), reflect.ValueOf((*argsMapping)(a)).Elem())
}

func (*argsForm) schema() object {
	return object{"anyOf": []any{
		object{"enum": []string{"off", "redacted", "full"}}, object{"$ref": "#/$defs/reference"},
		describe(reflect.TypeFor[argsMapping]()).mappingSchema(nil), object{"type": "null"},
	}}
}

// read reads a mapping of the names of variables to the globs of their values.
func (e *environmentForm) read(v value) {
	s := v.section(&option{anyKey: true, tag: `as:"{CI_JOB_ID: '*'}"`})
	globs := &option{kind: globKind(false), tag: `single:""`}
	for _, name := range s.keys() {
		if _, problem := variableName(name); problem != "" {
			s.fail(name, "%s", strings.ReplaceAll(problem, "{got}", quote(name)))
		}
		variable := rules.Variable{Name: name}
		s.get(name).readScalars(globs, reflect.ValueOf(&variable.Values).Elem())
		*e = append(*e, variable)
	}
}

func (e *environmentForm) print() any {
	var p pairs
	for _, v := range *e {
		p = append(p, pair{yamlText(v.Name), flowOf(globKind(false), reflect.ValueOf(v.Values))})
	}
	return p
}

func (*environmentForm) schema() object {
	globs := &option{form: scalars, kind: globKind(false), tag: `single:""`}
	return object{"type": "object", "minProperties": 1, "additionalProperties": globs.bareSchema(nil),
		"propertyNames": object{"pattern": textRule("variable").pattern}}
}

// read reads a mapping of attributes to templates.
func (f *settingsForm) read(v value) {
	s := v.section(&option{anyKey: true, tag: `as:"{service.name: builds}"`})
	for _, name := range s.keys() {
		text, ok := s.get(name).parse(textKind(textRule(""))).(string)
		if !ok {
			continue
		}
		template, err := rules.ParseTemplate(text)
		switch {
		case name == "":
			s.fail(name, "must have the name of an attribute")
		case strings.HasPrefix(name, "process."), strings.HasPrefix(name, "procspan."), name == "error.type":
			s.fail(name, "is set by procspan; choose another name")
		case err != nil:
			s.fail(name, "%v (got %s)", err, quote(text))
		}
		*f = append(*f, rules.Setting{Name: name, Value: template})
	}
}

func (f *settingsForm) print() any {
	var p pairs
	for _, one := range *f {
		p = append(p, pair{yamlText(one.Name), yamlText(one.Value.String())})
	}
	return p
}

func (*settingsForm) schema() object {
	return object{"type": "object", "minProperties": 1, "additionalProperties": object{"type": []any{"string", "null"}},
		"propertyNames": object{"minLength": 1}}
}

// templateKind is a text with references to the environment of a process.
func templateKind() *kind {
	return parsedKind(rules.ParseTemplate, func(t rules.Template) string { return yamlText(t.String()) }, object{"type": "string"})
}

// globKind is a glob, of a path or of another text.
func globKind(path bool) *kind {
	parse := rules.ParseGlob
	if path {
		parse = rules.ParsePath
	}
	return parsedKind(parse, func(g rules.Glob) string { return yamlString(g.String()) }, object{"type": "string", "minLength": 1})
}

//go:embed presets.yml
var presetsFile []byte

// Preset returns the rules of a preset; nil where there is none of that name.
func Preset(name string) rules.Set {
	var doc yaml.Node
	if err := yaml.Load(presetsFile, &doc); err != nil {
		panic(err) // a test reads them all
	}
	_, list := pairOf(doc.Content[0], name)
	if list == nil {
		return nil
	}
	set, err := readRules("presets.yml", list)
	if err != nil {
		panic(err)
	}
	return set
}

// ParseRules reads rules from the command line: the name of a preset, a rule, or a
// list of rules in YAML. name stands in the errors, an *Invalid.
func ParseRules(name, text string) (rules.Set, error) {
	if set := Preset(text); set != nil {
		return set, nil
	}
	root, problem := load([]byte(text))
	switch {
	case problem.Text == emptyFile, root != nil && root.Kind == yaml.ScalarNode:
		presets := describe(reflect.TypeFor[rules.Rule]()).key("preset").kind
		_, text := presets.parse(text, quote(text))
		if !strings.HasSuffix(text, "?") {
			text += "; or give a rule in YAML, {match: …, action: …}"
		}
		return nil, &Invalid{Problems: []Problem{{Name: name, Text: text}}}
	case problem.Text != "":
		problem.Name = name
		return nil, &Invalid{Problems: []Problem{problem}}
	case root.Kind == yaml.MappingNode:
		root = &yaml.Node{Kind: yaml.SequenceNode, Line: root.Line, Content: []*yaml.Node{root}}
	}
	return readRules(name, root)
}

// readRules reads a list of rules.
func readRules(name string, list *yaml.Node) (rules.Set, error) {
	o := describe(reflect.TypeFor[Config]()).key(vendors).key("procspan").key("rules")
	w := &walker{name: name, sections: make(map[*yaml.Node]section)}
	w.env = func(string) (string, bool) { return "", false }
	v, set := value{w, list, &place{}}, rules.Set(nil)
	v.prepare(o, false)
	v.readStructs(o, reflect.ValueOf(&set).Elem())
	set = expand(set, v)
	return set, w.problems.err()
}

// expand returns the rules with the presets among them in place of their names.
func expand(set rules.Set, list value) (all rules.Set) {
	items, _ := list.list()
	for i, r := range set {
		name, _ := items[i].section(nil).text("preset")
		if preset := Preset(name); preset != nil {
			all = append(all, preset...)
		} else {
			all = append(all, r)
		}
	}
	for late, first := range set.Unreachable() {
		items[late].fail("is never reached: rule %d decides on every process; remove this one, or put it first", first+1)
	}
	return all
}

// checkRules holds what concerns several rules.
func (c *Config) checkRules(own section) {
	c.Rules = expand(c.Rules, own.get("rules"))
	if problem := c.tooMuch(); problem != "" {
		own.fail("rules", "%s", problem)
	}
}

// tooMuch returns which limit the rules exceed together, "" if none.
func (c *Config) tooMuch() string {
	names := slices.Concat(c.Capture.Environment, c.Rules.Variables())
	slices.Sort(names)
	switch n, programs := len(slices.Compact(names)), c.Rules.Programs(); {
	case n > maxVariables && len(c.Capture.Environment) <= maxVariables:
		return fmt.Sprintf("need %d variables of the environment, with those of capture.environment (at most %d); remove some", n, maxVariables)
	case len(c.Rules) > rules.MaxRules:
		return fmt.Sprintf("must be %d rules at most, with those of presets (got %d); put several globs into one rule", rules.MaxRules, len(c.Rules))
	case programs > rules.MaxPrograms:
		return fmt.Sprintf("must have %d different values of parent and ancestor at most (got %d); put several globs into one rule", rules.MaxPrograms, programs)
	}
	return ""
}

// WithRules returns c with rules from the command line, before and after its own.
func (c Config) WithRules(first, last rules.Set) (Config, error) {
	c.Rules = slices.Concat(first, c.Rules, last)
	if problem := c.tooMuch(); problem != "" {
		return c, errors.New("the rules " + problem)
	}
	return c, nil
}

// maxVariables is how many variables are recorded; the BPF programs look for 32,
// and procspan needs some itself.
const maxVariables = 29

// Presets returns the names of the presets.
func Presets() []string {
	return describe(reflect.TypeFor[rules.Rule]()).key("preset").kind.schema["enum"].([]string)
}

// MinDuration parses the value of filter.min_duration.
func MinDuration(text string) (time.Duration, error) {
	d, problem := durationKind("0s").parse(text, quote(text))
	if problem != "" {
		return 0, errors.New(problem)
	}
	return d.(time.Duration), nil
}
