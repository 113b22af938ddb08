package config

import (
	"errors"
	"fmt"
	"regexp"
	resyntax "regexp/syntax"
	"slices"
	"strings"
)

func (s section) capture(c *Capture) {
	c.Args = ArgsPolicy(s.oneOf("args", string(c.Args), string(ArgsOff), string(ArgsRedacted), string(ArgsFull)))
	c.ArgsMaxBytes = s.integer("args_max_bytes", c.ArgsMaxBytes, 0, maxArgsBytes)
	c.WorkingDirectory = s.boolean("working_directory", c.WorkingDirectory)
	c.Baggage = s.boolean("baggage", c.Baggage)
	redact := s.section("redact")
	c.Redact = Redact{Patterns: redact.expressions("patterns"), Allow: redact.expressions("allow")}
	c.Environment = s.variableNames("environment")
}

// expressions reads a list of regular expressions.
func (s section) expressions(key string) (all []*regexp.Regexp) {
	items, _ := s.list(key)
	s.texts(key, items, func(text string) string {
		if text == "" {
			return "must not be empty: that matches everything; remove it"
		}
		e, err := regexp.Compile(text)
		if err != nil {
			return fmt.Sprintf("is not a regular expression of RE2: %s (got %s); see github.com/google/re2/wiki/Syntax", expressionProblem(err), quote(text))
		}
		all = append(all, e)
		return ""
	})
	return all
}

// expressionProblem words an error of regexp fit for one line.
func expressionProblem(err error) string {
	var e *resyntax.Error
	if !errors.As(err, &e) {
		return quote(err.Error())
	}
	return e.Code.String() + ", " + quote(e.Expr)
}

// variableNames reads a list of names of environment variables.
func (s section) variableNames(key string) (names []string) {
	items, _ := s.list(key)
	if len(items) > maxEnvironment {
		s.fail(key, "must have at most %d names (got %d); remove some", maxEnvironment, len(items))
		return nil
	}
	s.texts(key, items, func(name string) string {
		switch {
		case name == "":
			return "must not be empty"
		case len(name) > maxVariableName:
			return fmt.Sprintf("must be %d bytes at most (got %d, %s)", maxVariableName, len(name), quote(name))
		case strings.ContainsAny(name, "=\x00"):
			return fmt.Sprintf("must be a variable's name alone, without '=' and NUL (got %s)", quote(name))
		case slices.Contains(names, name):
			return fmt.Sprintf("is given twice (got %s)", quote(name))
		}
		names = append(names, name)
		return ""
	})
	return names
}
