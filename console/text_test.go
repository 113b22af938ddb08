package console

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/procspan/procspan/process"
)

func TestPrintable(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"plain", "make -j8 CC=gcc", "make -j8 CC=gcc"},
		{"other scripts", "größe 日本語 😀", "größe 日本語 😀"},
		{"a color", "\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`},
		{"a window title", "\x1b]0;owned\x07", `\x1b]0;owned\x07`},
		{"a control sequence in one character", "\u009b31m", `\u009b31m`},
		{"the same as a byte", "\x9b31m", `\x9b31m`},
		{"a carriage return hides what was before", "rm -rf /\rls       ", `rm -rf /\x0dls       `},
		{"backspaces", "ab\b\bcd", `ab\x08\x08cd`},
		{"newline and tab", "a\n\tb", `a\n\tb`},
		{"NUL", "a\x00b", `a\x00b`},
		{"delete", "a\x7fb", `a\x7fb`},
		{"invalid UTF-8", "a\xffb\xc3", `a\xffb\xc3`},
		{"a cut character", "größe"[:3], `gr\xc3`},
		{"an overlong slash", "\xc0\xaf", `\xc0\xaf`},
		{"a surrogate", "\xed\xa0\x80", `\xed\xa0\x80`},
		{"the replacement character itself", "a\ufffdb", `a\ufffdb`},
		{"right-to-left override", "cod\u202etxt.exe", `cod\u202etxt.exe`},
		{"isolates and marks", "\u2066a\u2069\u200f", `\u2066a\u2069\u200f`},
		{"zero width", "a\u200bb\ufeff", `a\u200bb\ufeff`},
		{"a line separator", "a\u2028b", `a\u2028b`},
		{"a blank that is none", "a\u00a0b", `a\u00a0b`},
		{"beyond 16 bits", "a\U000e0001b", `a\ue0001b`},
		{"private use", "\ue000", `\ue000`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Printable(tc.in); got != tc.want {
				t.Errorf("printable of %q is %q, want %q", tc.in, got, tc.want)
			}
		})
	}
}

// harmless is the property of what printable returns: no control, no invalid
// UTF-8, nothing that turns or hides text; and what needed no change has none.
func harmless(t *testing.T, in string) {
	t.Helper()
	got := Printable(in)
	if !utf8.ValidString(got) {
		t.Errorf("printable of %q is invalid UTF-8: %q", in, got)
	}
	for _, r := range got {
		switch {
		case r < 0x20, 0x7f <= r && r < 0xa0,
			0x200b <= r && r <= 0x200f, 0x2028 <= r && r <= 0x202e, 0x2060 <= r && r <= 0x206f,
			r == 0x61c, r == 0xfeff, r == 0xfffd:
			t.Errorf("printable of %q holds %U", in, r)
		}
	}
	if again := Printable(got); again != got {
		t.Errorf("printable of %q is %q, of which it is %q", in, got, again)
	}
	if strings.Trim(in, "abcdefghijklmnopqrstuvwxyz /.-=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == "" && got != in {
		t.Errorf("printable of the harmless %q is %q", in, got)
	}
}

func TestPrintableIsHarmless(t *testing.T) {
	for r := rune(0); r <= 0xffff; r++ {
		harmless(t, string(r))
	}
	for r := rune(0x10000); r <= utf8.MaxRune; r += 97 {
		harmless(t, string(r))
	}
	for b := range 256 {
		harmless(t, string([]byte{byte(b)}))
		harmless(t, string([]byte{'a', byte(b), 'b'}))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		in := make([]byte, random.IntN(40))
		for i := range in {
			in[i] = byte(random.Uint32())
		}
		harmless(t, string(in))
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("\x1b[31m\u202e\xff")
	f.Fuzz(harmless)
}

func TestFit(t *testing.T) {
	for _, tc := range []struct {
		in    string
		width int
		want  string
	}{
		{"", 0, ""},
		{"", 5, ""},
		{"", -1, ""},
		{"abc", 4, "abc"},
		{"abc", 3, "abc"},
		{"abc", 2, "a…"},
		{"abc", 1, "…"},
		{"abc", 0, ""},
		{"abc", -1, ""},
		{"日本語", 6, "日本語"},
		{"日本語", 5, "日本…"},
		{"日本語", 4, "日…"}, // two columns would not hold a wide one and the mark
		{"日本語", 2, "…"},
		{"e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"},
		{"e\u0301e\u0301e\u0301", 2, "e\u0301…"},
		{"└ größe", 5, "└ gr…"},
	} {
		if got := Fit(tc.in, tc.width); got != tc.want {
			t.Errorf("fit of %q in %d is %q, want %q", tc.in, tc.width, got, tc.want)
		}
	}
}

func TestShort(t *testing.T) {
	for _, tc := range []struct {
		in   time.Duration
		want string
	}{
		{0, "0µs"},
		{999 * time.Nanosecond, "0µs"},
		{time.Microsecond, "1µs"},
		{999_999 * time.Nanosecond, "999µs"},
		{time.Millisecond, "1.0ms"},
		{12_340 * time.Microsecond, "12.3ms"},
		{99_960 * time.Microsecond, "100.0ms"},
		{100 * time.Millisecond, "100ms"},
		{999_999 * time.Microsecond, "999ms"},
		{time.Second, "1.00s"},
		{61 * time.Second, "61.00s"},
		{100 * time.Second, "1m40s"},
		{time.Hour, "1h0m0s"},
		{10*time.Hour - time.Second, "9h59m59s"},
		{10*time.Hour - time.Millisecond, "10h0m0s"},
		{10 * time.Hour, "10h0m"},
		{27*time.Hour + 46*time.Minute + 40*time.Second, "27h46m"},
		{9999*time.Hour + 59*time.Minute, "9999h59m"},
	} {
		got := Duration(tc.in)
		if got != tc.want {
			t.Errorf("short of %v is %q, want %q", tc.in, got, tc.want)
		}
		if utf8.RuneCountInString(got) > 8 {
			t.Errorf("short of %v is %q: wider than its column, %d", tc.in, got, 8)
		}
	}
}

func TestOutcome(t *testing.T) {
	for _, tc := range []struct {
		status process.Status
		want   string
	}{
		{0, ""},
		{1 << 8, "exit 1"},
		{255 << 8, "exit 255"},
		{9, "SIGKILL"},
		{11 | 0x80, "SIGSEGV, core dumped"},
		{37, "SIGRTMIN+3"},
	} {
		if got := outcome(&process.Lifetime{Status: tc.status}); got != tc.want {
			t.Errorf("outcome of %#x is %q, want %q", int(tc.status), got, tc.want)
		}
	}
}
