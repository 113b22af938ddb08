package config

import (
	"fmt"
	"io"
)

// Secret is a text that never prints: not with any verb of fmt, not in YAML, JSON
// or a log. It stands behind a pointer to a string, which fmt prints as an
// address where it may not call methods: in an unexported field, and below a
// pointer that is printed with a verb that does not fit. The zero Secret is none.
type Secret struct{ text *string }

// NewSecret returns a secret text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// redacted is how every secret prints.
const redacted = "<redacted>"

// String returns "<redacted>".
func (s Secret) String() string { return redacted }

// Format writes "<redacted>" for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns "<redacted>", for JSON, YAML, XML and logs.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
