package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sort"
	"strings"

	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/internal/safedir"
	"github.com/procspan/procspan/otelexport/otlpjson"
)

// maxLine bounds the protobuf of a line, in bytes; the JSON is twice as long. A longer
// item has a line of its own. Readers of lines stop at 1 MiB unless told otherwise.
const maxLine = 256 << 10

// writer is where lines go. write writes whole lines, or returns an error and leaves no
// part of one. probe finds out whether they can be written, and changes nothing.
type writer interface {
	write(ctx context.Context, lines []byte) error
	probe() error
	close()
}

// lineTransport writes batches as lines.
type lineTransport struct {
	to     writer
	format func(to []byte, parts []Part) ([]byte, error)
	lines  []byte
}

// newLines prepares a transport to a file or to standard output.
func newLines(s Signal, to *Destination, o *Options) *lineTransport {
	t := &lineTransport{to: newWriter(to.Exporter, o)}
	if to.Exporter.Console != nil {
		t.format = console(s)
	} else {
		t.format = jsonLines(s, o.Scope)
	}
	return t
}

// newWriter returns where an exporter writes to, a file or standard output.
func newWriter(to config.Exporter, o *Options) writer {
	if to.File != nil && to.File.Path != config.Stdout {
		return newFile(to.File.Path, o.Files, o.Log)
	}
	return newStream(o.Stdout)
}

// requests are the messages that one line is made of.
var requests = map[Signal]proto.Message{
	Spans: &coltracepb.ExportTraceServiceRequest{}, LogRecords: &collogspb.ExportLogsServiceRequest{}, Metrics: &colmetricspb.ExportMetricsServiceRequest{},
}

// jsonLines returns a formatter of OTLP's JSON: a request a line.
func jsonLines(s Signal, scope []byte) func(to []byte, parts []Part) ([]byte, error) {
	message := otlpjson.New(requests[s].ProtoReflect().Descriptor())
	var request []byte
	return func(to []byte, parts []Part) (_ []byte, err error) {
		for some := range chunks(parts, maxLine) {
			request = appendRequest(request[:0], scope, some)
			if to, err = message.Append(to, request); err != nil {
				return to, err
			}
			to = append(to, '\n')
		}
		return to, nil
	}
}

// chunks divides a batch into some of at most size bytes, or of one item.
func chunks(parts []Part, size int) iter.Seq[[]Part] {
	return func(yield func([]Part) bool) {
		var some []Part
		room := size
		for _, p := range parts {
			for len(p.ends) > 0 {
				left := room - len(p.Resource) - partOverhead
				n := sort.SearchInts(p.ends, left+1) // so many fit
				if n == 0 && len(some) > 0 {
					if !yield(some) {
						return
					}
					some, room = some[:0], size
					continue
				}
				var head Part
				if n = max(n, 1); n == len(p.ends) {
					head, p = p, Part{}
				} else {
					head, p = p.cut(n)
				}
				some = append(some, head)
				room -= head.size()
			}
		}
		if len(some) > 0 {
			yield(some)
		}
	}
}

// Upload implements Transport.
func (t *lineTransport) Upload(ctx context.Context, parts []Part) Verdict {
	if len(parts) == 0 {
		return judgeWrite(t.to.probe())
	}
	lines, err := t.format(t.lines[:0], parts)
	if err != nil {
		return Verdict{Outcome: Final, Code: "INVALID_ARGUMENT", Message: err.Error(), Hint: reasonTable[Invalid].hint}
	}
	if t.lines = lines; cap(lines) > 8*maxBatchBytes {
		t.lines = nil
	}
	return judgeWrite(t.to.write(ctx, lines))
}

// Recover implements Transport: nothing is known before the next attempt.
func (t *lineTransport) Recover(ctx context.Context) { <-ctx.Done() }

// Close implements Transport.
func (t *lineTransport) Close() { t.to.close() }

// judgeWrite reads the result of a write.
func judgeWrite(err error) Verdict {
	if err == nil {
		return Verdict{}
	}
	v := Verdict{Outcome: Retry, Code: "EIO", Message: err.Error(), Hint: "check the disk of the exporter's output_stream"}
	var number unix.Errno
	if errors.As(err, &number) {
		v.Code = unix.ErrnoName(number)
	}
	var unsafe *safedir.UnsafeError
	switch {
	case errors.As(err, &unsafe):
		v.Outcome, v.Code, v.Hint = RetryUntilFixed, "UNSAFE", "name a file in a directory that only procspan's user, or root, may write to"
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		v.Hint = reasonTable[FileFull].hint
	case errors.Is(err, unix.EPIPE):
		v.Outcome, v.Hint = RetryUntilFixed, "nobody reads standard output any more"
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM), errors.Is(err, unix.EROFS), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.EISDIR):
		v.Outcome, v.Hint = RetryUntilFixed, "make the file of output_stream, and its directory, writable for the user that procspan runs as"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		v.Code, v.Hint = "DEADLINE_EXCEEDED", "check what reads standard output, or which process has locked the file"
	}
	return v
}

// stream writes to standard output, which may block for as long as its reader likes:
// a goroutine waits for it.
type stream struct {
	to   io.Writer
	idle chan struct{} // holds a token while nothing is being written
}

func newStream(to io.Writer) *stream {
	s := &stream{to: to, idle: make(chan struct{}, 1)}
	s.idle <- struct{}{}
	return s
}

func (s *stream) write(ctx context.Context, lines []byte) error {
	select {
	case <-s.idle:
	case <-ctx.Done():
		return ctx.Err()
	}
	text, done := strings.Clone(string(lines)), make(chan error, 1)
	go func() {
		_, err := io.WriteString(s.to, text)
		s.idle <- struct{}{}
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("write to standard output: %w", err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *stream) probe() error { return nil }
func (s *stream) close()       {}
