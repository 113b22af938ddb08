package deliver

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/procspan/procspan/config"
)

// scrubber makes text from outside, such as a server's message, fit for a log.
type scrubber struct {
	secrets *strings.Replacer
}

const (
	// maxMessage is how much of a server's message is logged, in bytes.
	maxMessage = 512
	// minSecret is the shortest secret, in bytes. Shorter header values ("1", "eu")
	// are not secret, and replacing them would spoil every message.
	minSecret = 4
)

// newScrubber returns a scrubber of the headers' values, and of the part after a
// scheme as in "Bearer TOKEN".
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

// clean returns msg on one line, of bounded length, without secrets and control
// characters.
func (s scrubber) clean(msg string) string {
	msg = s.secrets.Replace(msg)
	var out strings.Builder
	for i, r := range strings.ToValidUTF8(msg, "\uFFFD") {
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
