package scenario

import (
	"bytes"
	"path/filepath"
	"strings"
)

// argsLimit is the default of capture.args_max_bytes.
const argsLimit = 4096

func (c *checker) image(w *want) {
	c.attr("process.executable.path", text(c.p.Executable))
	c.attr("process.executable.name", text(filepath.Base(strings.TrimSuffix(c.p.Executable, " (deleted)"))))
	c.directory(w)
	c.args(w)
}

// args checks the arguments; before Linux 5.18 there may be none at all.
func (c *checker) args(w *want) {
	var count, list, command any
	if len(c.p.Args) > 0 {
		count = int64(len(c.p.Args))
		args := make([]string, 0, len(c.p.Args))
		for _, arg := range c.p.Args {
			args = append(args, text(string(arg)))
		}
		list = args
		if args[0] != "" {
			command = args[0]
		}
	}
	c.attr("process.args_count", count)
	if w.cut {
		c.cutArgs()
		return
	}
	c.attr("process.command", command)
	c.attr("process.command_args", list)
	c.attr("procspan.args.truncated", nil)
}

func (c *checker) directory(w *want) {
	if !w.far {
		c.attr("process.working_directory", text(c.p.Directory))
		c.attr("procspan.path.truncated", nil)
		return
	}
	got, _ := c.span.Attr("process.working_directory").(string)
	if len(got) < len(c.p.Directory)/2 || got == c.p.Directory || !strings.HasSuffix(c.p.Directory, got) {
		c.errorf("process.working_directory is %q, want the greater part of the end of %q", got, c.p.Directory)
	}
	c.attr("procspan.path.truncated", true)
}

// cutArgs checks arguments that are longer than the limit: as many bytes as it
// allows, the first ones, and marked.
func (c *checker) cutArgs() {
	got, _ := c.span.Attr("process.command_args").([]string)
	whole := bytes.Join(c.p.Args, []byte{0})
	want := strings.TrimSuffix(string(whole[:argsLimit]), "\x00") // which ends an argument, and is none
	if strings.Join(got, "\x00") != want {
		c.errorf("process.command_args has %d bytes, want the first %d of %d", len(strings.Join(got, "\x00")), len(want), len(whole))
	}
	c.attr("procspan.args.truncated", true)
	c.attr("process.command", got[0])
}

// text is what becomes of bytes that are not UTF-8.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
