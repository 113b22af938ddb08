package otlp

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/process"
)

// maxCommand is how many characters a span's name has at most that is a command.
const maxCommand = 80

var asConfigured process.Treatment

// treat makes t the treatment of the current process; nil is as configured.
func (e *Encoder) treat(t *process.Treatment) {
	if t == nil {
		t = &asConfigured
	}
	e.treatment = t
	e.attributes.keys = e.keys
	if t.Attributes != "" {
		e.attributes.keys = e.profiles[t.Attributes]
	}
	e.event.keys = e.attributes.keys
	e.args = cmp.Or(config.ArgsPolicy(t.Args), e.capture.Args)
}

// spanName returns the name that rules give, or "".
func (e *Encoder) spanName(x *execution) string {
	switch t := e.treatment; t.SpanName {
	case "executable":
		return x.image.ExecutableName()
	case "argv0":
		name, _, _ := strings.Cut(e.shown(x.image.Args), "\x00")
		return name
	case "command":
		return e.command(x.image)
	default: // script is the default
		return t.FixedName
	}
}

// command returns the name of an image and its arguments, redacted, on one line and not
// longer than maxCommand.
func (e *Encoder) command(im *process.Image) string {
	name := im.Name()
	if e.args == config.ArgsOff {
		return name
	}
	args, _ := e.treatment.FirstArgs(e.shown(im.Args))
	_, args, _ = strings.Cut(args, "\x00")
	words := strings.Fields(strings.ReplaceAll(args, "\x00", " "))
	command := validUTF8(strings.Join(append([]string{name}, words...), " "))
	if utf8.RuneCountInString(command) > maxCommand {
		command = string([]rune(command)[:maxCommand-1]) + "…"
	}
	return command
}

// shown returns of arguments what may be sent.
func (e *Encoder) shown(args string) string {
	if e.redactor == nil || args == "" || e.args == config.ArgsFull {
		return args
	}
	return e.redactor.Args(args)
}
