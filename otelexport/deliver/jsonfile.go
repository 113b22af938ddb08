package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/internal/safedir"
)

// file is a file of lines that several processes may write to: each holds a lock on it
// while it writes, and checks that it is still the one of this name. What a process
// that was killed left of a line is cut by the next one.
type file struct {
	path string
	config.Files
	log *slog.Logger

	dir  *safedir.Dir // nil: not open
	f    *os.File     // nil: not open
	end  int64        // after the last line, when this process wrote it
	born time.Time
}

func newFile(path string, o config.Files, log *slog.Logger) *file {
	return &file{path: path, Files: o, log: log}
}

const (
	// lockPause is how long to wait for another process that writes.
	lockPause = 2 * time.Millisecond
	// tailBlock is how much is read at a time to find the end of the last line.
	tailBlock = 64 << 10
	// mayCut is what a line begins with that was written here, whatever its signal. No
	// other text is cut.
	mayCut = `{"resource`
)

func (f *file) write(ctx context.Context, lines []byte) error {
	for {
		if err := f.lock(ctx); err != nil {
			f.close()
			return fmt.Errorf("write to %s: %w", f.path, err)
		}
		size, err := f.mend()
		if err == nil && f.due(size, len(lines)) {
			if err = f.rotate(); err == nil {
				f.close() // and its lock; the next one is another file
				continue
			}
		}
		if err == nil {
			err = f.append(size, lines)
		}
		if err != nil {
			f.close()
			return err // which names the path
		}
		return os.NewSyscallError("unlock", unix.Flock(int(f.f.Fd()), unix.LOCK_UN))
	}
}

// append appends whole lines, or nothing.
func (f *file) append(size int64, lines []byte) error {
	n, err := f.f.Write(lines)
	if err != nil {
		if n > 0 {
			err = errors.Join(err, f.f.Truncate(size)) // else the next write mends it
		}
		return err
	}
	f.end = size + int64(n)
	return nil
}

// lock opens the file, unless it is open, and locks it. It returns when it has the file
// that the path names.
func (f *file) lock(ctx context.Context) error {
	for {
		if f.f == nil {
			if err := f.open(); err != nil {
				return err
			}
		}
		switch err := unix.Flock(int(f.f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			if sleep(ctx, lockPause); ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		case err != nil:
			return os.NewSyscallError("flock", err)
		}
		there, err := os.Lstat(f.path)
		here, statErr := f.f.Stat()
		switch {
		case statErr != nil:
			return statErr
		case err == nil && os.SameFile(there, here):
			return nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		}
		f.close() // it was moved or removed
	}
}

func (f *file) open() (err error) {
	if f.dir, err = safedir.Open(filepath.Dir(f.path)); err != nil {
		return err
	}
	if f.f, err = f.dir.OpenFile(filepath.Base(f.path), os.O_RDWR|os.O_CREATE|os.O_APPEND); err != nil {
		return err
	}
	f.end, f.born = -1, time.Now()
	var s unix.Statx_t
	if unix.Statx(int(f.f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &s) == nil && s.Mask&unix.STATX_BTIME != 0 {
		f.born = time.Unix(s.Btime.Sec, int64(s.Btime.Nsec))
	}
	return nil
}

// close closes the file, and so unlocks it.
func (f *file) close() {
	if f.f != nil {
		_ = f.f.Close() // every write was checked
	}
	if f.dir != nil {
		_ = f.dir.Close()
	}
	f.f, f.dir = nil, nil
}

// mend cuts a line that has no end, and returns the size of the file. Text that is none
// of procspan's lines is ended and not cut.
func (f *file) mend() (size int64, err error) {
	info, err := f.f.Stat()
	if err != nil {
		return 0, err
	}
	if size = info.Size(); size == f.end || size == 0 {
		return size, nil
	}
	whole, err := f.wholeLines(size)
	if err != nil || whole == size {
		return size, err
	}
	begin := make([]byte, min(size-whole, int64(len(mayCut))))
	if _, err := f.f.ReadAt(begin, whole); err != nil {
		return size, err
	}
	if zero := bytes.Trim(begin, "\x00"); len(zero) > 0 && string(begin) != mayCut[:len(begin)] {
		f.log.Warn("file does not end with a line of procspan, ending the line", "path", f.path, "bytes", size-whole)
		n, err := f.f.WriteString("\n")
		return size + int64(n), err
	}
	f.log.Warn("torn line cut", "path", f.path, "bytes", size-whole, "hint", "a procspan was killed, or the disk was full, while it wrote; what it had not delivered is sent again if it was stored")
	return whole, f.f.Truncate(whole)
}

// wholeLines returns where the last whole line ends.
func (f *file) wholeLines(size int64) (int64, error) {
	block := make([]byte, tailBlock)
	for end := size; end > 0; {
		begin := max(0, end-tailBlock)
		n, err := f.f.ReadAt(block[:end-begin], begin)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if at := bytes.LastIndexByte(block[:n], '\n'); at >= 0 {
			return begin + int64(at) + 1, nil
		}
		end = begin
	}
	return 0, nil
}

// due reports whether n more bytes belong into another file.
func (f *file) due(size int64, n int) bool {
	return size > 0 && (size+int64(n) > f.MaxSize || time.Since(f.born) >= f.MaxAge)
}

// rotate gives the file another name: NAME.1, as NAME.1 becomes NAME.2, and so on.
func (f *file) rotate() error {
	name := func(i int) string {
		if i == 0 {
			return filepath.Base(f.path)
		}
		return fmt.Sprintf("%s.%d", filepath.Base(f.path), i)
	}
	if f.Keep == 0 {
		return f.dir.Remove(name(0))
	}
	for i := f.Keep - 1; i >= 0; i-- {
		if err := f.dir.Rename(name(i), name(i+1)); err != nil && !(i > 0 && errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	return nil
}

// probe implements writer. A directory that does not exist will be created.
func (f *file) probe() error {
	dir, err := safedir.OpenExisting(filepath.Dir(f.path))
	if errors.Is(err, fs.ErrNotExist) {
		return f.creatable()
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	there, err := dir.OpenFile(filepath.Base(f.path), os.O_WRONLY|os.O_APPEND)
	if errors.Is(err, fs.ErrNotExist) {
		return f.creatable()
	}
	if err != nil {
		return err
	}
	return there.Close()
}

func (f *file) creatable() error {
	at, err := safedir.Writable(filepath.Dir(f.path))
	if err != nil {
		return &fs.PathError{Op: "write to", Path: at, Err: err}
	}
	return nil
}
