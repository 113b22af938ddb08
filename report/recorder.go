package report

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/timeline"
)

// Recorder keeps the lifetimes of a job in a temporary file while the job runs,
// so that a job of any length takes no memory. The file has no name: it is gone
// with the program, whatever ends it.
type Recorder struct {
	file   *os.File
	out    *bufio.Writer
	record []byte
	kept   uint64
	lost   uint64
	// Once the limit is reached, at the time full, processes that begin later are
	// counted only. Those that run then are recorded: they are the parents of others.
	limit, over uint64
	full        process.Time
	err         error // of the first write that failed
}

// maxRecorded is how many processes a report holds; a model of so many takes about
// half a gigabyte when the job has ended.
const maxRecorded = 2_000_000

// NewRecorder returns a Recorder whose file is in the directory for temporary
// files.
func NewRecorder() (*Recorder, error) {
	f, err := os.CreateTemp("", "procspan-")
	if err != nil {
		return nil, fmt.Errorf("create the file that the job is recorded in: %w; set TMPDIR to a directory with room", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("create the file that the job is recorded in: %w", err), f.Close())
	}
	return &Recorder{file: f, out: bufio.NewWriterSize(f, 1<<18), limit: maxRecorded}, nil
}

// Add records a lifetime and the container that it ran in. It keeps nothing of l.
// From the first write that fails on, lifetimes are counted as missing.
func (r *Recorder) Add(l *process.Lifetime, container string) {
	if r.err != nil {
		r.lost++
		return
	}
	if r.kept >= r.limit && l.Start > r.full {
		r.over++
		return
	}
	r.record = process.AppendLifetime(r.record[:0], l)
	var sizes [2 * binary.MaxVarintLen64]byte
	head := binary.AppendUvarint(sizes[:0], uint64(len(r.record)))
	head = binary.AppendUvarint(head, uint64(len(container)))
	r.out.Write(head)
	r.out.Write(r.record)
	if _, err := r.out.WriteString(container); err != nil { // or one of those before
		r.err = fmt.Errorf("record the job: %w", err)
		r.lost++
		return
	}
	if r.kept++; r.kept == r.limit {
		r.full = l.End
	}
}

// Model returns the model of all that was recorded. What could not be is counted
// in job.Missing, and its error returned beside the model.
func (r *Recorder) Model(job timeline.Job) (*timeline.Model, error) {
	if err := r.out.Flush(); err != nil && r.err == nil {
		r.err = fmt.Errorf("record the job: %w", err)
	}
	b := timeline.NewBuilder()
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read the recorded job: %w", err)
	}
	in := bufio.NewReaderSize(r.file, 1<<18)
	for uint64(b.Len()) < r.kept {
		if err := r.read(in, b); err != nil {
			if r.err == nil { // else the end is missing, as was said
				r.err = fmt.Errorf("read the recorded job: %w", err)
			}
			break
		}
	}
	if job.Missing == nil {
		job.Missing = map[string]uint64{}
	}
	job.Missing["no room for the recording"] += r.lost + r.kept - uint64(b.Len())
	job.Missing[fmt.Sprintf("begun after the first %d, the most that a report holds", r.limit)] += r.over
	return b.Model(job), r.err
}

// maxRecord bounds one record, in bytes: a lifetime with its arguments and execs.
const maxRecord = 1 << 28

func (r *Recorder) read(in *bufio.Reader, b *timeline.Builder) error {
	size, err := binary.ReadUvarint(in)
	if err != nil {
		return err
	}
	container, err := binary.ReadUvarint(in)
	if err != nil {
		return err
	}
	if size > maxRecord || container > maxRecord {
		return errors.New("a record is too large")
	}
	if need := int(size + container); cap(r.record) < need {
		r.record = make([]byte, need)
	}
	r.record = r.record[:size+container]
	if _, err := io.ReadFull(in, r.record); err != nil {
		return err
	}
	var l process.Lifetime
	if err := process.ReadLifetime(r.record[:size], &l); err != nil {
		return err
	}
	b.Add(&l, string(r.record[size:]))
	return nil
}

// Close lets go of the file.
func (r *Recorder) Close() error { return r.file.Close() }
