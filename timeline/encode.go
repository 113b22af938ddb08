package timeline

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/procspan/procspan/process"
)

// The encoded form of a model, which a report carries and its page reads:
//
//	magic | header | texts | columns
//
// A number is a varint as in encoding/binary; a signed one is zigzag. The header
// is the length of a JSON object and the object. The texts are their number, then
// the length and the bytes of each; text 0, "", is left out. Each column is its
// values one after the other, in the order of appendColumns, without a name or a
// length: the header says how many processes there are.

const magic = "procspan timeline 1\n"

// header is what the encoded form says of the job.
type header struct {
	Processes int   `json:"processes"`
	Root      int   `json:"root"`
	Elapsed   int64 `json:"elapsed_ns"`
	Job
	Killers  []killerAt   `json:"killers,omitempty"`
	Reexecs  []reexecAt   `json:"reexecs,omitempty"`
	Filtered []filteredAt `json:"filtered,omitempty"`
}

type killerAt struct {
	At   int32  `json:"at"`
	PID  uint32 `json:"pid"`
	Name string `json:"name"`
}

type reexecAt struct {
	At      int32 `json:"at"`
	Time    int64 `json:"time"`
	Program Text  `json:"program"`
}

type filteredAt struct {
	At    int32 `json:"at"`
	Count int   `json:"count"`
}

// Encode writes the encoded form.
func (m *Model) Encode(w io.Writer) error {
	h, err := json.Marshal(m.header())
	if err != nil {
		return fmt.Errorf("encode the job: %w", err)
	}
	out := bufio.NewWriter(w)
	var scratch [binary.MaxVarintLen64]byte
	put := func(v uint64) { out.Write(binary.AppendUvarint(scratch[:0], v)) } // Flush returns the first error
	out.WriteString(magic)
	put(uint64(len(h)))
	out.Write(h)
	put(uint64(len(m.Texts)))
	for _, t := range m.Texts[1:] {
		put(uint64(len(t)))
		out.WriteString(t)
	}
	for _, c := range m.columns() {
		for i := range m.Len() {
			put(c.get(i))
		}
	}
	for _, a := range m.args {
		put(uint64(a))
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the timeline: %w", err)
	}
	return nil
}

func (m *Model) header() header {
	h := header{Processes: m.Len(), Root: m.Root, Elapsed: int64(m.Elapsed), Job: m.Job}
	for i := range int32(m.Len()) { // in order: equal models have equal bytes
		if k, ok := m.Killers[i]; ok {
			h.Killers = append(h.Killers, killerAt{i, k.PID, k.Name})
		}
		for _, r := range m.Reexecs[i] {
			h.Reexecs = append(h.Reexecs, reexecAt{i, r.At, r.Program})
		}
		if n := m.Filtered[i]; n > 0 {
			h.Filtered = append(h.Filtered, filteredAt{i, n})
		}
	}
	return h
}

// column is one value of each process, as a number.
type column struct {
	get func(i int) uint64
	set func(i int, v uint64)
}

// columns returns the columns in their order. What follows from others is not
// among them: children, lanes.
func (m *Model) columns() []column {
	signed := func(at func(i int) *int64, from func(i int) int64) column {
		return column{
			func(i int) uint64 { return zigzag(*at(i) - from(i)) },
			func(i int, v uint64) { *at(i) = unzigzag(v) + from(i) },
		}
	}
	before := func(col []int64) func(i int) int64 {
		return func(i int) int64 {
			if i == 0 {
				return 0
			}
			return col[i-1]
		}
	}
	zero := func(int) int64 { return 0 }
	texts := func(col []Text) column {
		return column{func(i int) uint64 { return uint64(col[i]) }, func(i int, v uint64) { col[i] = Text(v) }}
	}
	return []column{
		{
			func(i int) uint64 { return uint64(i - int(m.Parent[i])) }, // i + 1: no parent
			func(i int, v uint64) { m.Parent[i] = int32(int64(i) - int64(v)) },
		},
		{func(i int) uint64 { return uint64(m.PID[i]) }, func(i int, v uint64) { m.PID[i] = uint32(v) }},
		signed(func(i int) *int64 { return &m.Start[i] }, before(m.Start)),
		signed(func(i int) *int64 { return &m.End[i] }, func(i int) int64 { return m.Start[i] }),
		signed(func(i int) *int64 { return &m.Forked[i] }, func(i int) int64 { return m.Start[i] }),
		texts(m.Program), texts(m.Executable), texts(m.Directory), texts(m.Container),
		{func(i int) uint64 { return uint64(uint32(m.Status[i])) }, func(i int, v uint64) { m.Status[i] = process.Status(uint32(v)) }},
		{func(i int) uint64 { return uint64(m.Flags[i]) }, func(i int, v uint64) { m.Flags[i] = Flags(v) }},
		signed(func(i int) *int64 { return &m.User[i] }, zero),
		signed(func(i int) *int64 { return &m.System[i] }, zero),
		signed(func(i int) *int64 { return &m.RunDelay[i] }, zero),
		{func(i int) uint64 { return m.PeakRSS[i] }, func(i int, v uint64) { m.PeakRSS[i] = v }},
		{
			func(i int) uint64 { return uint64(m.argAt[i+1] - m.argAt[i]) },
			func(i int, v uint64) { m.argAt[i+1] = m.argAt[i] + uint32(v) },
		},
	}
}

func zigzag(v int64) uint64   { return uint64(v<<1) ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// Bounds of what is read: a damaged or hostile file must not take the memory of
// the machine.
const (
	maxProcesses = 1 << 26
	maxHeader    = 1 << 28
	maxText      = 1 << 24
)

// ErrFormat says that what was read is no timeline.
var ErrFormat = errors.New("not a timeline that this procspan can read")

// Decode reads a model that Encode has written. What is damaged is an error that
// wraps ErrFormat.
func Decode(r io.Reader) (*Model, error) {
	in := &reader{in: bufio.NewReader(r)}
	if got := in.bytes(uint64(len(magic))); in.err == nil && string(got) != magic {
		return nil, fmt.Errorf("%w: it begins with %.20q", ErrFormat, got)
	}
	var h header
	text := in.bytes(in.number(maxHeader))
	if in.err == nil {
		in.err = json.Unmarshal(text, &h)
	}
	if in.err == nil && (h.Processes < 0 || h.Processes > maxProcesses) {
		in.err = fmt.Errorf("it says that it has %d processes", h.Processes)
	}
	texts := []string{""}
	for n := in.number(1 << 31); n > 1 && in.err == nil; n-- {
		texts = append(texts, string(in.bytes(in.number(maxText))))
	}
	if in.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, in.err)
	}
	m, err := in.model(h, texts)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return m, nil
}

// model reads the columns, and checks what the rest of the package relies on.
func (in *reader) model(h header, texts []string) (*Model, error) {
	m := newModel(h.Processes, h.Job, texts)
	m.Root, m.Elapsed = h.Root, time.Duration(h.Elapsed)
	for _, c := range m.columns() {
		for i := 0; i < h.Processes && in.err == nil; i++ {
			c.set(i, in.number(1<<64-1))
		}
	}
	if in.err == nil && uint64(m.argAt[h.Processes]) > 1<<30 {
		in.err = errors.New("it has too many arguments")
	}
	m.args = []Text{}
	for n := m.argAt[h.Processes]; n > 0 && in.err == nil; n-- {
		m.args = append(m.args, Text(in.number(1<<31)))
	}
	if in.err != nil {
		return nil, in.err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	for _, k := range h.Killers {
		m.Killers[k.At] = Killer{k.PID, k.Name}
	}
	for _, r := range h.Reexecs {
		if int(r.Program) >= len(texts) {
			return nil, errors.New("an exec has a text that is not there")
		}
		m.Reexecs[r.At] = append(m.Reexecs[r.At], Reexec{r.Time, r.Program})
	}
	for _, l := range h.Filtered {
		m.Filtered[l.At] = l.Count
	}
	m.link()
	m.pack()
	return m, nil
}

// check returns what is wrong with the columns of a model that was read.
func (m *Model) check() error {
	if m.Root < None || m.Root >= m.Len() || m.Elapsed < 0 {
		return errors.New("its root is no process")
	}
	if m.Root != None && (m.Start[m.Root] != 0 || m.End[m.Root] != int64(m.Elapsed)) {
		return errors.New("its root is not as long as the job")
	}
	last := uint32(0)
	for i := range m.Len() {
		switch p := m.Parent[i]; {
		case p < None || int(p) >= i:
			return fmt.Errorf("process %d stands before its parent", i)
		case m.End[i] < m.Start[i] || p != None && m.Start[i] < m.Start[p]:
			return fmt.Errorf("process %d starts after its end, or before its parent", i)
		case m.User[i] < 0 || m.System[i] < 0 || m.RunDelay[i] < 0:
			return fmt.Errorf("process %d used less than nothing", i)
		case m.argAt[i+1] < last:
			return fmt.Errorf("process %d has too many arguments", i)
		}
		last = m.argAt[i+1]
	}
	for _, col := range [][]Text{m.Program, m.Executable, m.Directory, m.Container, m.args} {
		for _, t := range col {
			if int(t) >= len(m.Texts) {
				return errors.New("a text is not there")
			}
		}
	}
	return nil
}

// reader reads numbers and bytes; after an error it returns zeros.
type reader struct {
	in  *bufio.Reader
	err error
}

func (r *reader) number(most uint64) uint64 {
	if r.err != nil {
		return 0
	}
	v, err := binary.ReadUvarint(r.in)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && v > most {
		err = fmt.Errorf("a number is too large: %d", v)
	}
	if err != nil {
		r.err = err
		return 0
	}
	return v
}

func (r *reader) bytes(n uint64) []byte {
	if r.err != nil {
		return nil
	}
	// By way of a limit, so that a wrong length takes no memory.
	b, err := io.ReadAll(io.LimitReader(r.in, int64(n)))
	if err == nil && uint64(len(b)) < n {
		err = io.ErrUnexpectedEOF
	}
	r.err = err
	return b
}
