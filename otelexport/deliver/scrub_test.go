package deliver

import (
	"strings"
	"testing"

	"github.com/procspan/procspan/config"
)

func TestScrubber(t *testing.T) {
	s := newScrubber([]config.Header{
		{Name: "authorization", Value: config.NewSecret("Bearer s3cr3t-token")},
		{Name: "x-scope-orgid", Value: config.NewSecret("1")},
	})
	for _, tc := range []struct{ name, msg, want string }{
		{"plain", "no such tenant 1", "no such tenant 1"},
		{"whole value", "got Bearer s3cr3t-token!", "got <redacted>!"},
		{"token alone", "token s3cr3t-token has expired", "token <redacted> has expired"},
		{"control characters", "a\nb\x1b[31mc\x00", `a\nb\x1b[31mc\x00`},
		{"not UTF-8", "a\xffb", "a\uFFFDb"},
		{"long", strings.Repeat("x", 1000), strings.Repeat("x", maxMessage) + "…"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := s.clean(tc.msg); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
