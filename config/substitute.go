package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// reference is SUBSTITUTION-REF of the OpenTelemetry configuration data model,
// except that a default may also hold letters beyond ASCII.
var reference = regexp.MustCompile(`^\$\{(?:env:)?([a-zA-Z_][a-zA-Z0-9_]*)(?::-([^}\x00-\x08\x0A-\x1F\x7F]*))?\}`)

// braces is what must be a reference: "${" to "}" on one line.
var braces = regexp.MustCompile(`^\$\{[^}\x00-\x08\x0A-\x1F\x7F]*\}`)

// errReference stands for a "${…}" that the specification calls invalid. It
// carries no text of the value, which may be a secret.
var errReference = errors.New("invalid variable reference; write ${NAME}, ${env:NAME} or ${NAME:-default}, and $$ for a $ as it is")

// substitute replaces the references in a scalar. "$$" becomes "$" and splits
// the text: no reference reaches across it. What a variable holds is taken
// as it is and not looked at again.
func substitute(in string, env func(string) (string, bool)) (string, error) {
	if !strings.Contains(in, "$") {
		return in, nil
	}
	var out strings.Builder
	for i, part := range strings.Split(in, "$$") {
		if i > 0 {
			out.WriteByte('$')
		}
		for part != "" {
			at := strings.Index(part, "${")
			if at < 0 {
				break
			}
			out.WriteString(part[:at])
			part = part[at:]
			m := reference.FindStringSubmatch(part)
			switch {
			case m != nil:
				v, _ := env(m[1])
				if v == "" {
					v = m[2]
				}
				if !utf8.ValidString(v) {
					return "", fmt.Errorf("variable %s is not UTF-8", m[1])
				}
				out.WriteString(v)
				part = part[len(m[0]):]
			case braces.MatchString(part):
				return "", errReference
			default: // no closing brace: text
				out.WriteString("${")
				part = part[len("${"):]
			}
		}
		out.WriteString(part)
	}
	return out.String(), nil
}
