package otelexport

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/procspan/procspan/config"
)

// validUTF8 replaces what is not UTF-8 by U+FFFD. Every string that comes from
// a process goes through here: paths and arguments are any bytes, and one
// invalid string would make protobuf refuse a whole request.
func validUTF8(s string) string {
	return strings.ToValidUTF8(s, "\uFFFD")
}

// scrubber makes text from outside, such as a server's message, fit for a log.
type scrubber struct {
	secrets *strings.Replacer
}

const (
	maxMessage = 512 // bytes of a server's message that are logged
	// minSecret in bytes: shorter header values ("1", "eu") are no secrets, and
	// replacing them would spoil every message.
	minSecret = 4
)

// newScrubber returns a scrubber that knows the values of the headers, and the
// part after a scheme as in "Bearer TOKEN".
func newScrubber(headers []config.Header) scrubber {
	var pairs []string
	for _, h := range headers {
		whole := h.Value.Reveal()
		_, token, _ := strings.Cut(whole, " ")
		for _, secret := range []string{whole, token} {
			if len(secret) >= minSecret {
				pairs = append(pairs, secret, "<redacted>")
			}
		}
	}
	return scrubber{secrets: strings.NewReplacer(pairs...)}
}

// clean returns msg without the values of headers, on one line, without control
// characters, of bounded length.
func (s scrubber) clean(msg string) string {
	msg = s.secrets.Replace(msg)
	var out strings.Builder
	for i, r := range validUTF8(msg) {
		if i >= maxMessage {
			out.WriteString("…")
			break
		}
		if unicode.IsPrint(r) || r == utf8.RuneError {
			out.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		out.WriteString(quoted[1 : len(quoted)-1])
	}
	return out.String()
}
