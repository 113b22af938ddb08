package otlpjson

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Message is a type of messages.
type Message struct {
	name   protoreflect.FullName
	fields []field // by number
}

// field is one field of a message.
type field struct {
	key     string // as it stands in JSON, with the colon; "" for a number without a field
	kind    protoreflect.Kind
	list    bool
	isID    bool
	message *Message // of the elements
}

// New reads the description of a message.
func New(d protoreflect.MessageDescriptor) *Message {
	return describe(d, map[protoreflect.FullName]*Message{})
}

func describe(d protoreflect.MessageDescriptor, known map[protoreflect.FullName]*Message) *Message {
	if m := known[d.FullName()]; m != nil {
		return m
	}
	m := &Message{name: d.FullName()}
	known[m.name] = m
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		for len(m.fields) <= int(f.Number()) {
			m.fields = append(m.fields, field{})
		}
		of := field{
			key: strconv.Quote(f.JSONName()) + ":", kind: f.Kind(), list: f.IsList(),
			isID: slices.Contains([]protoreflect.Name{"trace_id", "span_id", "parent_span_id"}, f.Name()),
		}
		if f.Message() != nil {
			of.message = describe(f.Message(), known)
		}
		m.fields[f.Number()] = of
	}
	return m
}

// maxDepth bounds nested messages.
const maxDepth = 100

var errTooDeep = errors.New("nested too deeply")

// Append appends the JSON of an encoded message. After an error, what it returns is to
// be thrown away.
func (m *Message) Append(to, wire []byte) ([]byte, error) {
	to, err := m.append(to, wire, maxDepth)
	if err != nil {
		return to, fmt.Errorf("decode %s: %w", m.name, err)
	}
	return to, nil
}

func (m *Message) append(to, wire []byte, depth int) (_ []byte, err error) {
	if depth == 0 {
		return to, errTooDeep
	}
	to = append(to, '{')
	var written uint64 // lists
	for rest := wire; len(rest) > 0; {
		number, v, size := consume(rest)
		if size < 0 {
			return to, protowire.ParseError(size)
		}
		f := m.field(number)
		switch {
		case f == nil:
		case !f.list:
			to, err = f.append(f.begin(to), v, depth)
		case written&(1<<number) == 0:
			written |= 1 << number
			to, err = f.appendList(f.begin(to), rest, number, depth)
		}
		if err != nil {
			return to, err
		}
		rest = rest[size:]
	}
	return append(to, '}'), nil
}

// field returns the field of a number, or nil.
func (m *Message) field(number protowire.Number) *field {
	if int(number) >= len(m.fields) || m.fields[number].key == "" {
		return nil
	}
	return &m.fields[number]
}

// begin appends a comma where it is needed, and the key.
func (f *field) begin(to []byte) []byte {
	if to[len(to)-1] != '{' {
		to = append(to, ',')
	}
	return append(to, f.key...)
}

// value is one value on the wire: bytes, or a number.
type value struct {
	kind   protowire.Type
	bytes  []byte
	number uint64
}

// consume reads a tag and its value. size is negative after an error.
func consume(b []byte) (number protowire.Number, v value, size int) {
	number, v.kind, size = protowire.ConsumeTag(b)
	if size < 0 {
		return number, v, size
	}
	n := v.consume(b[size:])
	if n < 0 {
		return number, v, n
	}
	return number, v, size + n
}

func (v *value) consume(b []byte) (n int) {
	switch v.kind {
	case protowire.BytesType:
		v.bytes, n = protowire.ConsumeBytes(b)
	case protowire.VarintType:
		v.number, n = protowire.ConsumeVarint(b)
	case protowire.Fixed64Type:
		v.number, n = protowire.ConsumeFixed64(b)
	case protowire.Fixed32Type:
		var short uint32
		short, n = protowire.ConsumeFixed32(b)
		v.number = uint64(short)
	default: // groups, which OTLP does not have
		n = protowire.ConsumeFieldValue(1, v.kind, b)
	}
	return n
}

// appendList appends all values of the field from rest on.
func (f *field) appendList(to, rest []byte, number protowire.Number, depth int) (_ []byte, err error) {
	to = append(to, '[')
	for len(rest) > 0 {
		n, v, size := consume(rest)
		if size < 0 {
			return to, protowire.ParseError(size)
		}
		rest = rest[size:]
		if n != number {
			continue
		}
		if v.kind == protowire.BytesType && f.packs() {
			to, err = f.appendPacked(to, v.bytes, depth)
		} else {
			to, err = f.append(f.next(to), v, depth)
		}
		if err != nil {
			return to, err
		}
	}
	return append(to, ']'), nil
}

// next appends a comma unless the list is empty.
func (f *field) next(to []byte) []byte {
	if to[len(to)-1] != '[' {
		to = append(to, ',')
	}
	return to
}

// packs reports whether the values may be packed: whether they are numbers.
func (f *field) packs() bool {
	return f.kind != protoreflect.StringKind && f.kind != protoreflect.BytesKind && f.kind != protoreflect.MessageKind
}

func (f *field) appendPacked(to, packed []byte, depth int) (_ []byte, err error) {
	v := value{kind: protowire.VarintType}
	switch f.kind {
	case protoreflect.DoubleKind, protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		v.kind = protowire.Fixed64Type
	case protoreflect.FloatKind, protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		v.kind = protowire.Fixed32Type
	}
	for len(packed) > 0 {
		n := v.consume(packed)
		if n < 0 {
			return to, protowire.ParseError(n)
		}
		packed = packed[n:]
		if to, err = f.append(f.next(to), v, depth); err != nil {
			return to, err
		}
	}
	return to, nil
}

// append appends one value.
func (f *field) append(to []byte, v value, depth int) ([]byte, error) {
	switch f.kind {
	case protoreflect.MessageKind:
		return f.message.append(to, v.bytes, depth-1)
	case protoreflect.StringKind:
		return appendString(to, v.bytes), nil
	case protoreflect.BytesKind:
		to = append(to, '"')
		if f.isID {
			to = hex.AppendEncode(to, v.bytes)
		} else {
			to = base64.StdEncoding.AppendEncode(to, v.bytes)
		}
		return append(to, '"'), nil
	case protoreflect.BoolKind:
		return strconv.AppendBool(to, v.number != 0), nil
	case protoreflect.Int32Kind, protoreflect.EnumKind, protoreflect.Sfixed32Kind:
		return strconv.AppendInt(to, int64(int32(v.number)), 10), nil
	case protoreflect.Sint32Kind:
		return strconv.AppendInt(to, protowire.DecodeZigZag(v.number&math.MaxUint32), 10), nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return strconv.AppendUint(to, uint64(uint32(v.number)), 10), nil
	case protoreflect.Int64Kind, protoreflect.Sfixed64Kind:
		return append(strconv.AppendInt(append(to, '"'), int64(v.number), 10), '"'), nil
	case protoreflect.Sint64Kind:
		return append(strconv.AppendInt(append(to, '"'), protowire.DecodeZigZag(v.number), 10), '"'), nil
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return append(strconv.AppendUint(append(to, '"'), v.number, 10), '"'), nil
	case protoreflect.DoubleKind:
		return appendFloat(to, math.Float64frombits(v.number), 64), nil
	case protoreflect.FloatKind:
		return appendFloat(to, float64(math.Float32frombits(uint32(v.number))), 32), nil
	}
	return to, fmt.Errorf("kind %v is not known", f.kind)
}

func appendFloat(to []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(to, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(to, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(to, `"-Infinity"`...)
	}
	return strconv.AppendFloat(to, v, 'g', -1, bits)
}

// appendString appends a string in quotes. What is not UTF-8 is replaced.
func appendString(to, s []byte) []byte {
	const digits = "0123456789abcdef"
	to = append(to, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			to = append(to, s[from:i]...)
			switch c {
			case '"', '\\':
				to = append(to, '\\', c)
			case '\n':
				to = append(to, '\\', 'n')
			default:
				to = append(to, '\\', 'u', '0', '0', digits[c>>4], digits[c&0xf])
			}
			i++
			from = i
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		if r == utf8.RuneError && size == 1 {
			to = append(append(to, s[from:i]...), "\ufffd"...)
			from = i + 1
		}
		i += size
	}
	return append(append(to, s[from:]...), '"')
}
