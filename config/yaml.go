package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// The tags a prepared scalar can have.
const (
	tagNull  = "!!null"
	tagBool  = "!!bool"
	tagInt   = "!!int"
	tagFloat = "!!float"
	tagStr   = "!!str"
)

// The numbers of YAML 1.2's core schema.
var (
	coreInt   = regexp.MustCompile(`^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$`)
	coreFloat = regexp.MustCompile(`^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
)

// coreTag resolves a plain scalar by YAML 1.2's core schema, which the
// specification asks for: no yes/no/on/off, no dates, no 1_000.
func coreTag(s string) string {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return tagNull
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return tagBool
	}
	if coreInt.MatchString(s) {
		return tagInt
	}
	if coreFloat.MatchString(s) {
		return tagFloat
	}
	return tagStr
}

func isTrue(s string) bool { return strings.EqualFold(s, "true") }

// parseInt reads what coreInt matches.
func parseInt(s string) (int64, error) {
	switch {
	case strings.HasPrefix(s, "0x"):
		return strconv.ParseInt(s[2:], 16, 64)
	case strings.HasPrefix(s, "0o"):
		return strconv.ParseInt(s[2:], 8, 64)
	}
	return strconv.ParseInt(s, 10, 64)
}

// parseFloat reads what coreInt and coreFloat match; only finite numbers.
func parseFloat(s string) (float64, error) {
	if strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0o") {
		n, err := parseInt(s)
		return float64(n), err
	}
	f, err := strconv.ParseFloat(s, 64)
	if err == nil && (math.IsInf(f, 0) || math.IsNaN(f)) {
		err = strconv.ErrRange
	}
	return f, err
}

// found describes a node for "(got …)"; a secret one by its kind alone.
func found(n *yaml.Node, secret bool) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch {
	case n.Tag == tagNull:
		return "nothing"
	case secret && n.Tag == tagStr:
		return "a string"
	case secret:
		return "a number or bool"
	case n.Tag == tagStr:
		return quote(n.Value)
	}
	return fmt.Sprintf("%.60s", n.Value)
}
