package otlp

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/procspan/procspan/otelexport/catalogue"
)

// The fields of opentelemetry/proto/common/v1 that make up an attribute.
const (
	fieldKey, fieldValue              = 1, 2 // KeyValue
	fieldText, fieldFlag, fieldNumber = 1, 2, 3
	fieldDouble, fieldArray           = 4, 5 // AnyValue, like those above
	fieldItems                        = 1    // ArrayValue
)

// attributeList is a list of attributes in wire form: elements of a repeated
// KeyValue, tagged with the field number of the enclosing message. Its memory is
// reused, so that attributes cost no allocation.
type attributeList struct {
	field protowire.Number
	wire  []byte
	array []byte // a list value under construction
	n     int    // attributes

	// keys has the attributes that are set; the others are ignored.
	keys *keys
	// maxText is how many characters a string has at most; the rest is cut off. cuts
	// counts these values.
	maxText int
	cuts    uint64
}

// reset empties the list, for attributes of another message.
func (a *attributeList) reset(field protowire.Number) {
	if cap(a.wire) > maxScratch || cap(a.array) > maxScratch {
		a.wire, a.array = nil, nil
	}
	a.field, a.wire, a.n = field, a.wire[:0], 0
}

// readdress rewrites the tags for another message. Both field numbers are below
// 16, so a tag is one byte.
func (a *attributeList) readdress(field protowire.Number) {
	if a.field == field {
		return
	}
	a.field = field
	for i := 0; i < len(a.wire); {
		a.wire[i] = byte(protowire.EncodeTag(field, protowire.BytesType))
		size, n := protowire.ConsumeVarint(a.wire[i+1:])
		i += 1 + n + int(size)
	}
}

// keys has, by ID, what keyed returns for the attributes of a set, and "" for others.
type keys [1 << 8]string

// keysOf returns those of a selection, see catalogue.Select.
func keysOf(names ...string) *keys {
	k, selected := new(keys), catalogue.Select(names...)
	for id, a := range catalogue.All() {
		if selected[id] {
			k[id] = keyed(a.Name)
		}
	}
	return k
}

// keyed returns the fields of a KeyValue up to the length of its value.
func keyed(key string) string {
	return string(appendTag(appendBytes(nil, fieldKey, key), fieldValue, protowire.BytesType))
}

// begin appends an attribute up to its value, an AnyValue of value bytes.
func (a *attributeList) begin(keyed string, value int) {
	a.n++
	if size := len(keyed) + 1 + value; size < 1<<7 { // nearly always: every length is one byte
		n := len(a.wire)
		b := slices.Grow(a.wire, 2+size)[:n+3+len(keyed)]
		b[n], b[n+1] = byte(protowire.EncodeTag(a.field, protowire.BytesType)), byte(size)
		copy(b[n+2:], keyed)
		b[len(b)-1] = byte(value)
		a.wire = b
		return
	}
	b := appendSize(a.wire, a.field, len(keyed)+sizeBytes(value))
	a.wire = appendVarint(append(b, keyed...), uint64(value))
}

// text sets a string unless it is empty, which means unknown.
func (a *attributeList) text(id catalogue.ID, v string) {
	if k := a.keys[id]; v != "" && k != "" {
		a.member(k, v)
	}
}

// member sets a string, even an empty one, with the key of a member of a family.
func (a *attributeList) member(keyed, v string) {
	if v = validUTF8(v); len(v) > a.maxText {
		v = a.cut(v)
	}
	a.begin(keyed, 1+sizeBytes(len(v)))
	a.wire = appendBytes(a.wire, fieldText, v)
}

// cut returns the part of a string that is within the limit. Like OpenTelemetry, it
// counts code points.
func (a *attributeList) cut(v string) string {
	n := 0
	for i := range v {
		if n == a.maxText {
			a.cuts++
			return v[:i]
		}
		n++
	}
	return v
}

func (a *attributeList) number(id catalogue.ID, v int64) {
	k := a.keys[id]
	if k == "" {
		return
	}
	a.begin(k, 1+sizeVarint(uint64(v)))
	a.wire = appendUint(a.wire, fieldNumber, uint64(v))
}

// count sets a number unless it is zero.
func (a *attributeList) count(id catalogue.ID, v uint64) {
	if v != 0 {
		a.number(id, int64(saturate(v)))
	}
}

func (a *attributeList) double(id catalogue.ID, v float64) {
	k := a.keys[id]
	if k == "" {
		return
	}
	a.begin(k, 1+protowire.SizeFixed64())
	a.wire = appendDouble(a.wire, fieldDouble, v)
}

func (a *attributeList) flag(id catalogue.ID, v bool) {
	k := a.keys[id]
	if k == "" {
		return
	}
	a.begin(k, 1+1)
	a.wire = appendUint(a.wire, fieldFlag, protowire.EncodeBool(v))
}

// mark sets a flag that is either true or absent.
func (a *attributeList) mark(id catalogue.ID, v bool) {
	if v {
		a.flag(id, true)
	}
}

// list sets the strings of a text, each ended by a NUL byte; the last one's may be
// missing.
func (a *attributeList) list(id catalogue.ID, texts string) {
	k := a.keys[id]
	if texts == "" || k == "" {
		return
	}
	a.array = a.array[:0]
	for v := ""; texts != ""; {
		v, texts, _ = strings.Cut(texts, "\x00")
		if v = validUTF8(v); len(v) > a.maxText {
			v = a.cut(v)
		}
		a.array = appendSize(a.array, fieldItems, 1+sizeBytes(len(v)))
		a.array = appendBytes(a.array, fieldText, v)
	}
	a.begin(k, 1+sizeBytes(len(a.array)))
	a.wire = appendBytes(a.wire, fieldArray, a.array)
}

// fit removes attributes beyond a limit, and returns how many: those of the most
// dispensable level first, and of one level the last first.
func (a *attributeList) fit(limit int) int {
	if a.n <= limit {
		return 0
	}
	excess := a.n - max(0, limit)
	all := catalogue.All()
	sizes, levels := make([]int, a.n), make([]catalogue.Level, a.n)
	for i, rest := 0, a.wire; len(rest) > 0; i++ {
		attribute, n := protowire.ConsumeBytes(rest[1:])
		key, _ := protowire.ConsumeBytes(attribute[1:])
		sizes[i], levels[i] = 1+n, catalogue.Requested // whatever the catalogue lacks was named by the user
		if id := slices.IndexFunc(all[:], func(a catalogue.Attribute) bool { return a.Describes(string(key)) }); id >= 0 {
			levels[i] = all[id].Level
		}
		rest = rest[sizes[i]:]
	}
	drop := make([]bool, a.n)
	for level, left := catalogue.Foreign, excess; left > 0; level-- {
		for i := len(drop) - 1; i >= 0 && left > 0; i-- {
			if levels[i] == level {
				drop[i] = true
				left--
			}
		}
	}
	from, to := 0, 0
	for i, gone := range drop {
		if !gone {
			to += copy(a.wire[to:], a.wire[from:from+sizes[i]])
		}
		from += sizes[i]
	}
	a.wire, a.n = a.wire[:to], a.n-excess
	return excess
}

// set sets a value of any type.
func (a *attributeList) set(kv attribute.KeyValue) {
	value := appendValue(nil, kv.Value)
	a.begin(keyed(validUTF8(string(kv.Key))), len(value))
	a.wire = append(a.wire, value...)
}

// appendValue appends the content of an AnyValue.
func appendValue(b []byte, v attribute.Value) []byte {
	switch v.Type() {
	case attribute.BOOL:
		return appendUint(b, fieldFlag, protowire.EncodeBool(v.AsBool()))
	case attribute.INT64:
		return appendUint(b, fieldNumber, uint64(v.AsInt64()))
	case attribute.FLOAT64:
		return appendDouble(b, fieldDouble, v.AsFloat64())
	case attribute.BOOLSLICE:
		return appendArray(b, v.AsBoolSlice(), attribute.BoolValue)
	case attribute.INT64SLICE:
		return appendArray(b, v.AsInt64Slice(), attribute.Int64Value)
	case attribute.FLOAT64SLICE:
		return appendArray(b, v.AsFloat64Slice(), attribute.Float64Value)
	case attribute.STRINGSLICE:
		return appendArray(b, v.AsStringSlice(), attribute.StringValue)
	default:
		// A string, or a type that nothing here produces.
		return appendBytes(b, fieldText, validUTF8(v.String()))
	}
}

func appendArray[T any](b []byte, items []T, value func(T) attribute.Value) []byte {
	var array []byte
	for _, item := range items {
		array = appendBytes(array, fieldItems, appendValue(nil, value(item)))
	}
	return appendBytes(b, fieldArray, array)
}
