package lifetimes

import (
	"strings"

	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/timeline"
)

// HostileTexts are texts that processes choose to act on whoever reads a report.
// None has a NUL, which ends an argument; Hostile adds one.
var HostileTexts = []string{
	"</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>", "javascript:alert(1)",
	"' onfocus='alert(1)' autofocus='", "]]><!--", "-->", "{{.Style}}", "${alert(1)}", "`${alert(1)}`", "\\x3cscript>alert(1)\\x3c/script>",
	"&lt;script&gt;", "<a href=javascript:alert(1)>x</a>", "<style>*{display:none}</style>", "<meta http-equiv=refresh content=0;url=//evil.example>",
	"a\u2028alert(1)\u2029b", "`x` | x | **x** [a](http://evil.example) <b>", "\x1b]0;owned\x07", "\u202egnp.exe", "\xff\xfe\xc0", "a\r\nb",
	"__proto__", "@everyone #1 $x$", strings.Repeat("A", 2<<20),
}

// Hostile returns a job of processes whose every text is hostile.
func Hostile() *timeline.Model {
	b := timeline.NewBuilder()
	for i, text := range HostileTexts {
		l := &process.Lifetime{
			ID: process.ID{PID: uint32(i + 1), Start: 1}, Start: process.Time(10 + i), End: process.Time(1000 - i), Comm: text,
			Image: process.Image{
				Filename: "/x/" + text, Executable: "/x/" + text + "\x00", WorkingDirectory: text + "\x00",
				Args: text + "\x00" + text + "\x00",
			},
			Status: 1 << 8, Killer: process.Killer{ID: process.ID{PID: 9}, Comm: text},
		}
		if i > 0 {
			l.Parent = process.ID{PID: 1, Start: 1}
		}
		b.Add(l, text+"\x00")
	}
	return b.Model(timeline.Job{
		Root: process.ID{PID: 1, Start: 1}, CPUs: 2, Host: HostileTexts[0], Version: HostileTexts[1], ArgsPolicy: "full",
		Missing: map[string]uint64{HostileTexts[2]: 1},
	})
}
