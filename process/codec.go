package process

import (
	"encoding/binary"
	"unsafe"
)

// codec writes or reads a value: one description of a struct serves both. Unreadable
// input sets bad; the values from there on stay as they are. So do values beyond the
// end of the input, because its writer did not know them.
type codec struct {
	b       []byte // the output, or the rest of the input
	reading bool
	bad     bool

	traces        objects[trace]
	continuations objects[continuation]
	spans         objects[span]
}

func newCodec(b []byte, reading bool) *codec {
	return &codec{
		b: b, reading: reading,
		traces:        objects[trace]{number: func(tr *trace) *int { return &tr.number }},
		continuations: objects[continuation]{number: func(more *continuation) *int { return &more.number }},
		spans:         objects[span]{number: func(s *span) *int { return &s.number }},
	}
}

func (c *codec) fail() { c.bad, c.b = true, nil }

// ended reports whether there is no more input.
func (c *codec) ended() bool { return c.reading && len(c.b) == 0 }

// frame codes fields behind their length. A reader skips fields that a later version
// added at the end, and leaves fields at zero that an earlier one did not have.
func (c *codec) frame(fields func()) {
	if !c.reading {
		from := len(c.b)
		c.b = append(c.b, 0)
		fields()
		c.b = putLength(c.b, from)
		return
	}
	n := 0
	number(c, &n)
	if n < 0 || n > len(c.b) {
		c.fail()
		return
	}
	rest := c.b[n:]
	c.b = c.b[:n]
	if fields(); !c.bad {
		c.b = rest
	}
}

// putLength replaces the byte at from by the length of what follows it.
func putLength(b []byte, from int) []byte {
	n := uint64(len(b) - from - 1)
	var length [binary.MaxVarintLen64]byte
	size := binary.PutUvarint(length[:], n)
	b = append(b, length[:size-1]...) // makes room
	copy(b[from+size:], b[from+1:len(b)-size+1])
	copy(b[from:], length[:size])
	return b
}

// number codes any integer, in as few bytes as its value needs.
func number[T ~int | ~int32 | ~int64 | ~uint8 | ~uint32 | ~uint64](c *codec, v *T) {
	if !c.reading {
		c.b = binary.AppendUvarint(c.b, uint64(*v))
		return
	}
	if c.ended() {
		return
	}
	n, size := binary.Uvarint(c.b)
	if size <= 0 || uint64(T(n)) != n {
		c.fail()
		return
	}
	*v, c.b = T(n), c.b[size:]
}

// text codes a string. The reader copies it.
func text[T ~string](c *codec, v *T) {
	n := len(*v)
	number(c, &n)
	switch {
	case !c.reading:
		c.b = append(c.b, *v...)
	case n < 0 || n > len(c.b):
		c.fail()
	case n > 0:
		*v, c.b = T(c.b[:n]), c.b[n:]
	}
}

// bytes codes an array.
func (c *codec) bytes(v []byte) {
	switch {
	case !c.reading:
		c.b = append(c.b, v...)
	case c.ended():
	case len(v) > len(c.b):
		c.fail()
	default:
		c.b = c.b[copy(v, c.b):]
	}
}

func (c *codec) boolean(v *bool) {
	var b [1]byte
	if *v {
		b[0] = 1
	}
	c.bytes(b[:])
	*v = b[0] == 1
}

// sequence codes a list, whose items take at least a byte each. An empty one is read
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

// objects numbers the targets of pointers.
type objects[T any] struct {
	all []*T
	// number is the field of an object that has its number. It is valid only if all
	// has the object there.
	number func(*T) *int
	// good is set, by number, for objects that were read; next is the next to read.
	good []bool
	next int
}

// add numbers an object, unless it is nil or has a number.
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

// count codes how many objects there are. The reader makes them empty.
func (o *objects[T]) count(c *codec, most int) {
	n := len(o.all)
	number(c, &n)
	if !c.reading {
		return
	}
	if n < 0 || n > most {
		c.fail()
		return
	}
	room := make([]T, n)
	o.all, o.good = make([]*T, n), make([]bool, n)
	for i := range room {
		o.all[i] = &room[i]
		*o.number(o.all[i]) = i
	}
}

// take reads the next object.
func (o *objects[T]) take(c *codec, fields func(*T)) {
	n := o.next
	if o.next++; n >= len(o.all) {
		c.fail()
		return
	}
	fields(o.all[n])
	o.good[n] = !c.bad
}

// usable reports whether v is an object that was read and not dropped.
func (o *objects[T]) usable(v *T) bool { return v != nil && o.good[*o.number(v)] }

// drop makes an object unusable.
func (o *objects[T]) drop(v *T) { o.good[*o.number(v)] = false }

// lost returns how many objects are not usable.
func (o *objects[T]) lost() (n int) {
	for _, good := range o.good {
		if !good {
			n++
		}
	}
	return n
}

// ref codes a pointer, which may be nil.
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
