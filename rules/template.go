package rules

import (
	"errors"
	"regexp"
	"strings"
)

// Template is a text with references to the environment of a process: ${env:NAME},
// or ${env:NAME:-default}; $$ is a $.
type Template struct {
	text  string
	parts []part
}

// part is literal text, or a variable where name is not "".
type part struct{ text, name string }

var reference = regexp.MustCompile(`^\$\{env:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}`)

// ParseTemplate returns the template of a text.
func ParseTemplate(text string) (Template, error) {
	t := Template{text: text}
	for rest := text; rest != ""; {
		before, _, found := strings.Cut(rest, "$")
		if before != "" {
			t.parts = append(t.parts, part{text: before})
		}
		if !found {
			break
		}
		rest = rest[len(before):]
		m := reference.FindStringSubmatch(rest)
		switch {
		case strings.HasPrefix(rest, "$$"):
			t.parts = append(t.parts, part{text: "$"})
			rest = rest[2:]
		case m != nil:
			t.parts = append(t.parts, part{m[2], m[1]})
			rest = rest[len(m[0]):]
		default:
			return Template{}, errors.New("has a $ that begins no reference; write ${env:NAME} for a variable of the process, $$ for a $")
		}
	}
	return t, nil
}

// String returns the text as it was written.
func (t Template) String() string { return t.text }

// Variables returns the names of the variables that the template refers to.
func (t Template) Variables() (names []string) {
	for _, p := range t.parts {
		if p.name != "" {
			names = append(names, p.name)
		}
	}
	return names
}

// Expand returns the text with the values of a process; "" where a variable is
// not set and has no default, for a text with a hole says nothing.
func (t Template) Expand(variable func(name string) (string, bool)) string {
	var out strings.Builder
	for _, p := range t.parts {
		text := p.text
		if p.name != "" {
			if value, ok := variable(p.name); ok && value != "" {
				text = value
			} else if text == "" {
				return ""
			}
		}
		out.WriteString(text)
	}
	return out.String()
}
