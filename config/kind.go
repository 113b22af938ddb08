package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	resyntax "regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/rules"
)

// kind is how a scalar is written.
type kind struct {
	what string       // it must be, "a string"
	hint string       // for a scalar of another type
	typ  reflect.Type // of the values of an attribute
	tags []string     // that YAML may give it
	// parse returns the value, or nil and the problem. got is the text as an error
	// may quote it.
	parse func(text, got string) (v any, problem string)
	print func(v any) string
	// schema is that of the value itself, without null and references.
	schema object
}

// kindOf returns the kind of a field's type, or of the items of its list.
func kindOf(t reflect.Type, tag reflect.StructTag) *kind {
	if t.Kind() == reflect.Pointer && t.Elem().Kind() != reflect.Struct {
		t = t.Elem()
	}
	low, high, _ := strings.Cut(tag.Get("range"), "..")
	unit := tag.Get("unit")
	switch {
	case t == reflect.TypeFor[time.Duration]() && unit == "ms":
		return millisecondKind(number(low), number(high))
	case t == reflect.TypeFor[time.Duration]():
		return durationKind(low)
	case t == reflect.TypeFor[*regexp.Regexp]():
		return expressionKind(tag.Get("text") == "pattern")
	case t == reflect.TypeFor[AttributeName]():
		return attributeNameKind()
	case t == reflect.TypeFor[rules.Glob]():
		return globKind(tag.Get("glob") == "path")
	case t == reflect.TypeFor[rules.Template]():
		return templateKind()
	case t == reflect.TypeFor[rules.Exit]():
		return exitKind("failed", "expected")
	case t == reflect.TypeFor[process.Status]():
		return statusKind()
	case t == reflect.TypeFor[Secret]():
		return secretKind(textRule(tag.Get("text")))
	case unit == "size":
		k := sizeKind(low, high, tag.Get("power") == "2")
		if _, ok := tag.Lookup("auto"); ok {
			k.allowAuto()
		}
		return k
	}
	switch t.Kind() {
	case reflect.Bool:
		return boolKind()
	case reflect.Int, reflect.Int64:
		return integerKind(number(low), number(high), "")
	case reflect.Float64:
		return ratioKind(low, high)
	case reflect.String:
		if words, ok := tag.Lookup("words"); ok {
			return wordKind(strings.Fields(words))
		}
		return textKind(textRule(tag.Get("text")))
	}
	return anyKind()
}

// isScalar reports whether a struct type is written as a scalar.
func isScalar(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[Secret](), reflect.TypeFor[rules.Glob](), reflect.TypeFor[rules.Template](), reflect.TypeFor[rules.Exit]():
		return true
	}
	return false
}

// number returns a bound that a tag names.
func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic("config: bound " + strconv.Quote(s) + " in a tag is no number")
	}
	return n
}

func boolKind() *kind {
	return &kind{
		what: "true or false", tags: []string{tagBool}, typ: reflect.TypeFor[bool](),
		parse: func(text, got string) (any, string) {
			if isTrue(text) || strings.EqualFold(text, "false") {
				return isTrue(text), ""
			}
			return nil, "must be true or false (got " + got + ")"
		},
		print:  func(v any) string { return fmt.Sprint(v) },
		schema: object{"type": "boolean"},
	}
}

func integerKind(low, high int64, unit string) *kind {
	return &kind{
		what: "an integer" + strings.Replace(unit, " ", " of ", 1), tags: []string{tagInt}, typ: reflect.TypeFor[int64](),
		parse: func(text, got string) (any, string) {
			n, err := parseInt(text)
			switch {
			case err != nil && !coreInt.MatchString(text):
				return nil, fmt.Sprintf("must be an integer from %d to %d%s (got %s)", low, high, unit, got)
			case err != nil || n < low || n > high:
				hint := ""
				if n == 0 && unit != "" && low > 0 {
					hint = "; procspan never waits without a limit"
				}
				return nil, fmt.Sprintf("must be %d to %d%s (got %s)%s", low, high, unit, got, hint)
			}
			return n, ""
		},
		print:  func(v any) string { return fmt.Sprint(v) },
		schema: object{"type": "integer", "minimum": low, "maximum": high},
	}
}

func millisecondKind(low, high int64) *kind {
	k := integerKind(low, high, " milliseconds")
	k.convert(func(n any) any { return time.Duration(n.(int64)) * time.Millisecond })
	k.print = func(v any) string { return strconv.FormatInt(v.(time.Duration).Milliseconds(), 10) }
	return k
}

func durationKind(low string) *kind {
	const what = "a duration with its unit, as in 90s"
	least, err := time.ParseDuration(low)
	if err != nil {
		panic(err)
	}
	return &kind{
		what: what, tags: []string{tagStr, tagInt, tagFloat},
		parse: func(text, got string) (any, string) {
			d, err := time.ParseDuration(text)
			switch {
			case err != nil:
				return nil, fmt.Sprintf("must be %s (got %s); units are ns, us, ms, s, m and h, and 2562047h is the longest", what, got)
			case d < least:
				return nil, fmt.Sprintf("must be %s or more (got %s)", least, got)
			}
			return d, ""
		},
		print:  func(v any) string { return formatDuration(v.(time.Duration)) },
		schema: object{"type": "string", "pattern": `^\+?([0-9]*\.?[0-9]*(ns|us|µs|μs|ms|s|m|h))+$|^[-+]?0$`},
	}
}

func sizeKind(low, high string, power bool) *kind {
	least, ok := parseSize(low)
	most, ok2 := parseSize(high)
	if !ok || !ok2 {
		panic("config: bound in a tag is no size: " + low + ".." + high)
	}
	const what = "a size with its unit, as in 512MiB"
	must := low + " to " + high
	if power {
		must = "a power of two from " + must
	}
	return &kind{
		what: what, tags: []string{tagStr, tagInt},
		parse: func(text, got string) (any, string) {
			size, ok := parseSize(text)
			switch {
			case !ok:
				return nil, fmt.Sprintf("must be %s (got %s); units are B, KiB, MiB and GiB", what, got)
			case size < least || size > most:
				return nil, fmt.Sprintf("must be %s (got %s)", must, got)
			case power && size&(size-1) != 0:
				up := least
				for up < size {
					up *= 2
				}
				return nil, fmt.Sprintf("must be %s (got %s); the next one is %s", must, got, formatSize(up))
			}
			return size, ""
		},
		print:  func(v any) string { return formatSize(reflect.ValueOf(v).Int()) },
		schema: object{"type": "string", "pattern": `^\+?[0-9]+ ?(B|KiB|MiB|GiB)$`},
	}
}

// allowAuto accepts "auto", as 0.
func (k *kind) allowAuto() {
	parse, print := k.parse, k.print
	k.parse = func(text, got string) (any, string) {
		if text == "auto" {
			return int64(0), ""
		}
		v, problem := parse(text, got)
		return v, strings.Replace(problem, "must be a", "must be auto, or a", 1)
	}
	k.print = func(v any) string {
		if reflect.ValueOf(v).IsZero() {
			return "auto"
		}
		return print(v)
	}
	k.schema = object{"anyOf": []any{object{"const": "auto"}, k.schema}}
}

func ratioKind(low, high string) *kind {
	least, most := float64(number(low)), float64(number(high))
	return &kind{
		what: "a number", tags: []string{tagInt, tagFloat},
		parse: func(text, got string) (any, string) {
			f, err := parseFloat(text)
			if err != nil || !(f >= least && f <= most) {
				return nil, fmt.Sprintf("must be a number from %s to %s (got %s)", low, high, got)
			}
			return f, ""
		},
		print:  func(v any) string { return strconv.FormatFloat(v.(float64), 'g', -1, 64) },
		schema: object{"type": "number", "minimum": least, "maximum": most},
	}
}

// doubleKind is any finite number.
func doubleKind() *kind {
	k := ratioKind("0", "0")
	k.typ, k.schema = reflect.TypeFor[float64](), object{"type": "number"}
	k.parse = func(text, got string) (any, string) {
		if f, err := parseFloat(text); err == nil {
			return f, ""
		}
		return nil, "must be a finite number (got " + got + ")"
	}
	return k
}

func wordKind(words []string) *kind {
	return &kind{
		what: choice(words), tags: []string{tagStr},
		parse: func(text, got string) (any, string) {
			if !slices.Contains(words, text) {
				hint := ""
				if near := nearest(text, words); near != "" {
					hint = "; did you mean " + near + "?"
				}
				return nil, fmt.Sprintf("must be %s (got %s)%s", choice(words), got, hint)
			}
			return text, ""
		},
		print:  func(v any) string { return fmt.Sprint(v) },
		schema: object{"enum": words},
	}
}

// textKind is a string that a rule accepts.
func textKind(rule rule) *kind {
	schema := object{"type": "string"}
	if rule.pattern != "" {
		schema["pattern"] = rule.pattern
	}
	tags := []string{tagStr}
	if rule.numbers {
		tags = append(tags, tagInt)
		schema["type"] = []any{"string", "integer"}
	}
	return &kind{
		what: "a string", hint: "; put it in quotes", tags: tags, typ: reflect.TypeFor[string](),
		parse: func(text, got string) (any, string) {
			text, problem := rule.check(text)
			switch {
			case problem != "":
				return nil, strings.ReplaceAll(problem, "{got}", got)
			case text == "" && rule.keepsDefault:
				return nil, ""
			}
			return text, ""
		},
		print:  func(v any) string { return yamlString(fmt.Sprint(v)) },
		schema: schema,
	}
}

func secretKind(rule rule) *kind {
	k := textKind(rule)
	k.convert(func(v any) any { return NewSecret(v.(string)) })
	return k
}

// convert makes the kind return another value for what it reads.
func (k *kind) convert(to func(any) any) {
	parse := k.parse
	k.parse = func(text, got string) (any, string) {
		v, problem := parse(text, got)
		if problem == "" {
			v = to(v)
		}
		return v, problem
	}
}

// parsedKind is a text that a function of another package reads.
func parsedKind[T any](parse func(text string) (T, error), print func(T) string, schema object) *kind {
	k := textKind(textRule(""))
	k.parse = func(text, got string) (any, string) {
		v, err := parse(text)
		if err != nil {
			return nil, fmt.Sprintf("%v (got %s)", err, got)
		}
		return v, ""
	}
	k.print, k.schema = func(v any) string { return print(v.(T)) }, schema
	return k
}

// expressionKind is a regular expression; a pattern is one that redact can use.
func expressionKind(pattern bool) *kind {
	k := textKind(textRule(""))
	k.parse = func(text, got string) (any, string) {
		if text == "" {
			return nil, "must not be empty: that matches everything; remove it"
		}
		e, err := regexp.Compile(text)
		switch {
		case err != nil:
			return nil, fmt.Sprintf("is not a regular expression of RE2: %s (got %s); see github.com/google/re2/wiki/Syntax", expressionProblem(err), got)
		case pattern && e.NumSubexp() > 1:
			return nil, fmt.Sprintf("must have at most one capture group (got %s); write (?:…) for the others", got)
		case pattern && e.MatchString(""):
			return nil, fmt.Sprintf("must not match the empty string (got %s)", got)
		}
		return e, ""
	}
	k.print = func(v any) string { return yamlString(v.(*regexp.Regexp).String()) }
	k.schema = object{"type": "string", "minLength": 1}
	return k
}

// anyKind is a value whose type another key gives; the struct's check reads it.
func anyKind() *kind {
	return &kind{
		tags:   []string{},
		schema: object{},
	}
}

// expressionProblem words an error of regexp for one line.
func expressionProblem(err error) string {
	var e *resyntax.Error
	if !errors.As(err, &e) {
		return quote(err.Error())
	}
	return e.Code.String() + ", " + quote(e.Expr)
}
