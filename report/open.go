package report

import (
	"bufio"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/procspan/procspan/timeline"
)

// Open reads the job of a report that HTML has written.
func Open(path string) (*timeline.Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the report: %w", err)
	}
	defer f.Close()
	m, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w; it must be a file that procspan exec --report has written", path, err)
	}
	return m, nil
}

// Read is Open of what is open already.
func Read(r io.Reader) (*timeline.Model, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	if err := skipTo(in, strings.TrimSpace(dataBegin)); err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, &untilTag{in}))
	if err != nil {
		return nil, fmt.Errorf("its data are damaged: %w", err)
	}
	return timeline.Decode(z)
}

var errNoData = errors.New("it has no timeline in it")

// skipTo reads up to the end of the first line that is mark.
func skipTo(in *bufio.Reader, mark string) error {
	for {
		line, err := in.ReadSlice('\n')
		if strings.TrimSpace(string(line)) == mark {
			return nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if errors.Is(err, io.EOF) {
				return errNoData
			}
			return err
		}
	}
}

// untilTag reads up to the next '<'.
type untilTag struct{ in *bufio.Reader }

func (u *untilTag) Read(b []byte) (int, error) {
	for n := range b {
		c, err := u.in.ReadByte()
		if err == nil && c == '<' {
			err = io.EOF
		}
		if err != nil {
			return n, err
		}
		b[n] = c
	}
	return len(b), nil
}
