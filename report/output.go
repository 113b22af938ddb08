package report

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/procspan/procspan/timeline"
)

// A format is a form in which a job can be written to a file.
type format struct {
	extension string
	write     func(io.Writer, *timeline.Analysis) error
}

// formats are the forms by their file's extension.
var formats = []format{
	{".html", HTML},
	{".md", Markdown},
	{".pftrace", Perfetto},
	{".json", Chrome},
	{".jsonl", OTLP},
}

// Output is a file that a job will be written to. It appears under its name when
// it is whole.
type Output struct {
	path  string
	file  *os.File
	write func(io.Writer, *timeline.Analysis) error
}

// Create prepares a file, so that a path that cannot be written is an error before
// a long job and not after it. Its form follows from its extension, or from want,
// an extension, where that is set.
func Create(path, want string) (*Output, error) {
	extension := cmp.Or(want, strings.ToLower(filepath.Ext(path)))
	at := slices.IndexFunc(formats, func(f format) bool { return f.extension == extension })
	if at < 0 {
		return nil, fmt.Errorf("write %s: unknown extension %q; use %s", path, extension, extensions())
	}
	part := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d", filepath.Base(path), os.Getpid()))
	file, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, errors.Unwrap(err))
	}
	return &Output{path, file, formats[at].write}, nil
}

func extensions() string {
	var all []string
	for _, f := range formats {
		all = append(all, f.extension)
	}
	return strings.Join(all, ", ")
}

// Chown gives the file to a user.
func (o *Output) Chown(uid, gid int) error { return o.file.Chown(uid, gid) }

// Write writes the job. The file then has its name, or is gone.
func (o *Output) Write(a *timeline.Analysis) error {
	file := o.file
	o.file = nil
	err := errors.Join(o.write(file, a), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), o.path)
	}
	if err != nil {
		os.Remove(file.Name())
		return fmt.Errorf("write %s: %w", o.path, err)
	}
	return nil
}

// Discard removes what was prepared, unless it was written.
func (o *Output) Discard() error {
	if o.file == nil {
		return nil
	}
	return errors.Join(o.file.Close(), os.Remove(o.file.Name()))
}
