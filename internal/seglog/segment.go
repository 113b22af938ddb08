package seglog

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/procspan/procspan/internal/safedir"
)

const (
	markSize  = 8
	fixedSize = markSize + 8 + 4 + 4 + 1 // of a header before its head
	maxHead   = 255
	maxBody   = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrDamaged means that the bytes of a record are not those that were appended.
var ErrDamaged = errors.New("the record is damaged")

// name is what the name of a segment file holds.
type name struct {
	log   string
	first uint64 // number of its first record
	mark  [markSize]byte
}

func newName(log string, first uint64) name {
	n := name{log: log, first: first}
	_, _ = rand.Read(n.mark[:]) // it never fails
	return n
}

func (n name) String() string { return fmt.Sprintf("%s-%016x-%x", n.log, n.first, n.mark) }

func parseName(log, file string) (n name, ok bool) {
	rest, ok := strings.CutPrefix(file, log+"-")
	first, mark, found := strings.Cut(rest, "-")
	if !ok || !found || len(first) != 16 || len(mark) != 2*markSize {
		return n, false
	}
	number, err := strconv.ParseUint(first, 16, 64)
	if err != nil {
		return n, false
	}
	n = name{log: log, first: number}
	_, err = hex.Decode(n.mark[:], []byte(mark))
	return n, err == nil && n.String() == file
}

// LogOf returns the log that a file is a segment of.
func LogOf(file string) (log string, ok bool) {
	at := len(file) - len("-") - 16 - len("-") - 2*markSize
	if at <= 0 {
		return "", false
	}
	_, ok = parseName(file[:at], file)
	return file[:at], ok
}

// list returns the names of a log's segments, oldest first.
func list(dir *safedir.Dir, log string) (segments []name, err error) {
	files, err := dir.Names()
	for _, file := range files {
		if n, ok := parseName(log, file); ok {
			segments = append(segments, n)
		}
	}
	return segments, err // the names sort by number
}

// header is the header of a record; head is valid until the next one is read.
type header struct {
	number uint64
	head   []byte
	sum    uint32 // of the body
	start  int64  // its offset
	body   int64  // offset of the body
	end    int64  // offset of the record that follows
}

func appendHeader(b []byte, mark [markSize]byte, at int64, number uint64, head, body []byte) []byte {
	start := len(b)
	b = append(b, mark[:]...)
	b = binary.LittleEndian.AppendUint64(b, number)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(body, castagnoli))
	b = append(b, byte(len(head)))
	b = append(b, head...)
	return binary.LittleEndian.AppendUint32(b, headerSum(at, b[start:]))
}

func headerSum(at int64, b []byte) uint32 {
	var offset [8]byte
	binary.LittleEndian.PutUint64(offset[:], uint64(at))
	return crc32.Update(crc32.Checksum(offset[:], castagnoli), castagnoli, b)
}

// scanner finds the records of a segment. What cannot be read is as damaged as
// what is not sound.
type scanner struct {
	file   io.ReaderAt
	mark   [markSize]byte
	at     int64 // where the next record should begin
	size   int64 // of the file
	buf    [fixedSize + maxHead + 4]byte
	window []byte
	offset int64 // of the window
}

// next returns the next sound header with a whole body. It stays where it is if
// there is none.
func (s *scanner) next() (h header, ok bool) {
	for at := s.at; at < s.size; at = s.find(at + 1) {
		if h, ok = s.header(at); ok && h.end <= s.size {
			s.at = h.end
			return h, true
		}
	}
	return header{}, false
}

func (s *scanner) header(at int64) (h header, ok bool) {
	b := s.buf[:]
	n, _ := s.file.ReadAt(b[:min(int64(len(b)), max(0, s.size-at))], at)
	if n < fixedSize+4 || !bytes.Equal(b[:markSize], s.mark[:]) {
		return h, false
	}
	size := fixedSize + int(b[fixedSize-1])
	if n < size+4 || headerSum(at, b[:size]) != binary.LittleEndian.Uint32(b[size:]) {
		return h, false
	}
	h.start = at
	h.number = binary.LittleEndian.Uint64(b[markSize:])
	h.head = b[fixedSize:size:size]
	h.sum = binary.LittleEndian.Uint32(b[markSize+12:])
	h.body = at + int64(size) + 4
	h.end = h.body + int64(binary.LittleEndian.Uint32(b[markSize+8:]))
	return h, true
}

// find returns the offset of the next mark, or the end.
func (s *scanner) find(at int64) int64 {
	const windowSize, block = 64 << 10, 4 << 10
	for at < s.size {
		if at < s.offset || at+markSize > s.offset+int64(len(s.window)) {
			if s.window == nil {
				s.window = make([]byte, windowSize)
			}
			n, err := s.file.ReadAt(s.window[:min(windowSize, s.size-at)], at)
			s.window, s.offset = s.window[:n], at
			if n < markSize {
				if err == nil || errors.Is(err, io.EOF) {
					return s.size
				}
				s.window, s.offset, at = nil, 0, (at|(block-1))+1 // a bad block
				continue
			}
		}
		if i := bytes.Index(s.window[at-s.offset:], s.mark[:]); i >= 0 {
			return at + int64(i)
		}
		at = s.offset + int64(len(s.window)) - markSize + 1
	}
	return s.size
}

// read reads the body of a record.
func (h *header) read(file io.ReaderAt) ([]byte, error) {
	body := make([]byte, h.end-h.body)
	if n, err := file.ReadAt(body, h.body); n < len(body) {
		return nil, fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if crc32.Checksum(body, castagnoli) != h.sum {
		return nil, ErrDamaged
	}
	return body, nil
}

// openSegment opens a segment for reading, at its beginning.
func openSegment(dir *safedir.Dir, n name, flags int) (*os.File, *scanner, error) {
	file, err := dir.OpenFile(n.String(), flags)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, &scanner{file: file, mark: n.mark, size: info.Size()}, nil
}
