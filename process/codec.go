package process

import (
	"encoding/binary"
	"unsafe"
)

// codec writes or reads: each method does to the value that it is given one of
// the two. What cannot be read sets bad, and every value after it is zero.
type codec struct {
	b       []byte // what is written so far, or is left to be read
	reading bool
	bad     bool

	spans         objects[span]
	traces        objects[trace]
	continuations objects[continuation]
}

func newCodec(b []byte, reading bool) *codec {
	return &codec{
		b: b, reading: reading,
		spans:         objects[span]{number: func(s *span) *int { return &s.number }},
		traces:        objects[trace]{number: func(tr *trace) *int { return &tr.number }},
		continuations: objects[continuation]{number: func(more *continuation) *int { return &more.number }},
	}
}

func (c *codec) fail() { c.bad, c.b = true, nil }

// number does any integer, in as few bytes as its value needs.
func number[T ~int | ~int32 | ~int64 | ~uint8 | ~uint32 | ~uint64](c *codec, v *T) {
	if !c.reading {
		c.b = binary.AppendUvarint(c.b, uint64(*v))
		return
	}
	n, size := binary.Uvarint(c.b)
	if size <= 0 || uint64(T(n)) != n {
		c.fail()
		return
	}
	*v, c.b = T(n), c.b[size:]
}

// text does a string. What is read is a copy.
func text[T ~string](c *codec, v *T) {
	n := len(*v)
	number(c, &n)
	if !c.reading {
		c.b = append(c.b, *v...)
		return
	}
	if n < 0 || n > len(c.b) {
		c.fail()
		return
	}
	*v, c.b = T(c.b[:n]), c.b[n:]
}

// bytes does as many bytes as v has.
func (c *codec) bytes(v []byte) {
	if !c.reading {
		c.b = append(c.b, v...)
		return
	}
	if len(v) > len(c.b) {
		c.fail()
		return
	}
	c.b = c.b[copy(v, c.b):]
}

func (c *codec) boolean(v *bool) {
	var b [1]byte
	if *v {
		b[0] = 1
	}
	c.bytes(b[:])
	*v = b[0] == 1
}

// present does whether there is a value, and returns it.
func (c *codec) present(is bool) bool {
	c.boolean(&is)
	return is && !c.bad
}

// sequence does a list, whose items take at least a byte each. An empty one is read
// as nil.
func sequence[T any](c *codec, v *[]T, item func(*T)) {
	n := len(*v)
	number(c, &n)
	if c.reading {
		var one T
		if n < 0 || n > len(c.b) || uint64(n)*uint64(unsafe.Sizeof(one)) > 1<<40 {
			c.fail()
			return
		}
		*v = nil
		if n > 0 {
			*v = make([]T, n)
		}
	}
	for i := range *v {
		if c.bad {
			return
		}
		item(&(*v)[i])
	}
}

// objects are what pointers lead to, numbered.
type objects[T any] struct {
	all []*T
	// number is where an object has its own number. It means something only if
	// the object stands there in all.
	number func(*T) *int
}

// add numbers an object that has no number; nil needs none.
func (o *objects[T]) add(v *T) {
	if v == nil || o.has(v) {
		return
	}
	*o.number(v) = len(o.all)
	o.all = append(o.all, v)
}

func (o *objects[T]) has(v *T) bool {
	n := *o.number(v)
	return n < len(o.all) && o.all[n] == v
}

// make does the number of objects; where that is read, there are so many then.
func (o *objects[T]) make(c *codec) {
	n := len(o.all)
	number(c, &n)
	if !c.reading {
		return
	}
	if n < 0 || n > len(c.b) { // each is described by a byte at least
		c.fail()
		return
	}
	room := make([]T, n)
	o.all = make([]*T, n)
	for i := range room {
		o.all[i] = &room[i]
	}
}

// ref does a pointer, which may be nil.
func (o *objects[T]) ref(c *codec, v **T) {
	n := 0
	if *v != nil {
		n = *o.number(*v) + 1
	}
	number(c, &n)
	switch {
	case !c.reading:
	case n < 0 || n > len(o.all):
		c.fail()
	case n > 0:
		*v = o.all[n-1]
	}
}

// need does a pointer that is not nil.
func (o *objects[T]) need(c *codec, v **T) {
	o.ref(c, v)
	if *v == nil {
		c.fail()
	}
}

// The parts of events and lifetimes.

func (c *codec) id(v *ID) {
	number(c, &v.PID)
	number(c, &v.Start)
}

func (c *codec) belongings(v *Groups) {
	number(c, &v.Session)
	number(c, &v.Group)
	number(c, &v.Terminal)
	number(c, &v.Cgroup.V2)
	number(c, &v.Cgroup.V1)
}

func (c *codec) credentials(v *Credentials) {
	for _, n := range []*uint32{&v.RealUser, &v.EffectiveUser, &v.SavedUser, &v.RealGroup, &v.EffectiveGroup, &v.SavedGroup} {
		number(c, n)
	}
	c.boolean(&v.OtherRoot)
}

func (c *codec) namespaces(v *Namespaces) {
	for _, n := range []*uint32{&v.Cgroup, &v.IPC, &v.Mount, &v.Network, &v.PID, &v.Time, &v.User, &v.UTS} {
		number(c, n)
	}
}

func (c *codec) context(v *SpanContext) {
	c.bytes(v.Trace[:])
	c.bytes(v.Span[:])
}

func (c *codec) remote(v *Remote) {
	c.context(&v.Context)
	text(c, &v.State)
	c.boolean(&v.Sampled)
}

func (c *codec) image(v *Image) {
	text(c, &v.Filename)
	text(c, &v.Executable)
	text(c, &v.WorkingDirectory)
	text(c, &v.Args)
	number(c, &v.ArgsCount)
	c.boolean(&v.ArgsCut)
	text(c, &v.Environment)
	c.boolean(&v.EnvironmentCut)
	c.boolean(&v.PathCut)
}

func (c *codec) reexec(v *Reexec) {
	number(c, &v.At)
	text(c, &v.From)
	c.image(&v.To)
}

func (c *codec) usage(v *Usage) {
	number(c, &v.UserTime)
	number(c, &v.SystemTime)
	for _, n := range []*uint64{&v.PeakRSS, &v.MinorFaults, &v.MajorFaults, &v.Voluntary, &v.Involuntary,
		&v.ReadBytes, &v.WriteBytes, &v.ReadChars, &v.WriteChars} {
		number(c, n)
	}
}

// lifetime does one that waits: its place in a trace is not known yet.
func (c *codec) lifetime(v *Lifetime) {
	c.id(&v.ID)
	number(c, &v.LeftOut)
	number(c, &v.ParentPID)
	number(c, &v.Start)
	number(c, &v.End)
	c.boolean(&v.StartEstimated)
	c.boolean(&v.EndEstimated)
	text(c, &v.Comm)
	c.image(&v.Image)
	c.belongings(&v.Groups)
	c.credentials(&v.Credentials)
	c.namespaces(&v.Namespaces)
	number(c, &v.VPID)
	sequence(c, &v.Reexecs, c.reexec)
	number(c, &v.ReexecsDropped)
	number(c, &v.Status)
	c.boolean(&v.Expected)
	c.usage(&v.Usage)
	c.id(&v.Killer.ID)
	number(c, &v.Killer.ExecID)
	text(c, &v.Killer.Comm)
	text(c, &v.Killer.Executable)
	c.boolean(&v.OOM.Killed)
	number(c, &v.OOM.Limit)
}
