package config

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestSubstitute is the table of the OpenTelemetry configuration data model.
func TestSubstitute(t *testing.T) {
	env := lookup(map[string]string{
		"STRING_VALUE": "value", "BOOL_VALUE": "true", "INT_VALUE": "1", "FLOAT_VALUE": "1.1",
		"HEX_VALUE": "0xdeadbeef", "INVALID_MAP_VALUE": "value\nkey:value",
		"DO_NOT_REPLACE_ME": "Never use this value", "REPLACE_ME": "${DO_NOT_REPLACE_ME}",
		"VALUE_WITH_ESCAPE": "value$$", "EMPTY": "", "env": "e",
	})
	for _, tt := range []struct{ in, want, tag string }{
		{`${STRING_VALUE}`, "value", tagStr},
		{`${BOOL_VALUE}`, "true", tagBool},
		{`${INT_VALUE}`, "1", tagInt},
		{`${FLOAT_VALUE}`, "1.1", tagFloat},
		{`${HEX_VALUE}`, "0xdeadbeef", tagInt},
		{`"${STRING_VALUE}"`, "value", tagStr},
		{`"${BOOL_VALUE}"`, "true", tagStr},
		{`"${INT_VALUE}"`, "1", tagStr},
		{`'${FLOAT_VALUE}'`, "1.1", tagStr},
		{`"${HEX_VALUE}"`, "0xdeadbeef", tagStr},
		{`${env:STRING_VALUE}`, "value", tagStr},
		{`${INVALID_MAP_VALUE}`, "value\nkey:value", tagStr},
		{`foo ${STRING_VALUE} ${FLOAT_VALUE}`, "foo value 1.1", tagStr},
		{`${UNDEFINED_KEY}`, "", tagNull},
		{`${UNDEFINED_KEY:-fallback}`, "fallback", tagStr},
		{`${REPLACE_ME}`, "${DO_NOT_REPLACE_ME}", tagStr},
		{`${UNDEFINED_KEY:-${STRING_VALUE}}`, "${STRING_VALUE}", tagStr},
		{`$${STRING_VALUE}`, "${STRING_VALUE}", tagStr},
		{`$$${STRING_VALUE}`, "$value", tagStr},
		{`$$$${STRING_VALUE}`, "$${STRING_VALUE}", tagStr},
		{`$${STRING_VALUE:-fallback}`, "${STRING_VALUE:-fallback}", tagStr},
		{`$${STRING_VALUE:-${STRING_VALUE}}`, "${STRING_VALUE:-value}", tagStr},
		{`${UNDEFINED_KEY:-$${UNDEFINED_KEY}}`, "${UNDEFINED_KEY:-${UNDEFINED_KEY}}", tagStr},
		{`${VALUE_WITH_ESCAPE}`, "value$$", tagStr},
		{`a $$ b`, "a $ b", tagStr},
		{`a $ b`, "a $ b", tagStr},
		// Beyond the table.
		{`"${UNDEFINED_KEY}"`, "", tagStr},
		{`${EMPTY:-7}`, "7", tagInt},
		{`${UNDEFINED_KEY:-}`, "", tagNull},
		{`${INT_VALUE}${INT_VALUE}`, "11", tagInt},
		{`${env:-x}`, "e", tagStr},
		{`"${UNDEFINED_KEY:-naïve}"`, "naïve", tagStr},
		{`"${"`, "${", tagStr},
		{`"${STRING_VALUE"`, "${STRING_VALUE", tagStr},
	} {
		t.Run(tt.in, func(t *testing.T) {
			var doc yaml.Node
			if err := yaml.Load([]byte("key: "+tt.in), &doc); err != nil {
				t.Fatal(err)
			}
			w := &walker{name: "x", env: env}
			value{w, doc.Content[0], &place{}}.prepare(nil, false)
			if err := w.problems.err(); err != nil {
				t.Fatal(err)
			}
			if n := doc.Content[0].Content[1]; n.Value != tt.want || n.Tag != tt.tag {
				t.Errorf("got %q %s, want %q %s", n.Value, n.Tag, tt.want, tt.tag)
			}
		})
	}
}

func TestSubstituteInvalid(t *testing.T) {
	for _, in := range []string{`${STRING_VALUE:?error}`, `${1API_KEY}`, `${API_$KEY}`, `${}`, `${env:}`, `${A B}`, `a ${b-c} d`} {
		if got, err := substitute(in, lookup(nil)); err == nil {
			t.Errorf("substitute(%q) = %q, want an error", in, got)
		}
	}
}

func TestSubstituteLeavesKeysAndStructureAlone(t *testing.T) {
	_, err := Parse("x.yml", []byte("file_format: '1.0'\n${KEY}: 1"), lookup(map[string]string{"KEY": "disabled"}))
	if err == nil || !strings.Contains(err.Error(), "${KEY}") {
		t.Errorf("a key was substituted: %v", err)
	}
	_, err = Parse("x.yml", []byte("file_format: '1.0'\ndistribution: ${V}"), lookup(map[string]string{"V": "{procspan: {}}"}))
	if err == nil || !strings.Contains(err.Error(), "must be a mapping") {
		t.Errorf("a value became a mapping: %v", err)
	}
}
