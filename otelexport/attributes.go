package otelexport

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/protobuf/encoding/protowire"
)

// The fields of opentelemetry/proto/common/v1 that an attribute is made of.
const (
	fieldKey, fieldValue              = 1, 2 // KeyValue
	fieldText, fieldFlag, fieldNumber = 1, 2, 3
	fieldDouble, fieldArray           = 4, 5 // AnyValue, like those above
	fieldItems                        = 1    // ArrayValue
)

// attributeList is a list of attributes in wire form: elements of a repeated
// KeyValue, whose field number is that of the message they stand in. Its memory
// is used again, so that attributes cost no allocation.
type attributeList struct {
	field protowire.Number
	wire  []byte
	array []byte // one list value in the making
}

// reset empties the list, for attributes of another message.
func (a *attributeList) reset(field protowire.Number) {
	if cap(a.wire) > maxScratch || cap(a.array) > maxScratch {
		a.wire, a.array = nil, nil
	}
	a.field, a.wire = field, a.wire[:0]
}

// readdress makes the list one of another message. Both field numbers are below
// 16, so that a tag is one byte.
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

// begin appends an attribute up to its value, an AnyValue of so many bytes.
func (a *attributeList) begin(key string, value int) {
	if size := 4 + len(key) + value; size < 1<<7 { // as nearly all are: every length is one byte
		n := len(a.wire)
		b := slices.Grow(a.wire, 2+size)[:n+6+len(key)]
		b[n], b[n+1] = byte(protowire.EncodeTag(a.field, protowire.BytesType)), byte(size)
		b[n+2], b[n+3] = fieldKey<<3|byte(protowire.BytesType), byte(len(key))
		copy(b[n+4:], key)
		b[len(b)-2], b[len(b)-1] = fieldValue<<3|byte(protowire.BytesType), byte(value)
		a.wire = b
		return
	}
	b := appendSize(a.wire, a.field, 1+sizeBytes(len(key))+1+sizeBytes(value)) // the tags are one byte each
	b = appendBytes(b, fieldKey, key)
	a.wire = appendSize(b, fieldValue, value)
}

// text sets a string; an empty one is one that is not known, and left out.
func (a *attributeList) text(key attribute.Key, v string) {
	if v != "" {
		a.anyText(key, v)
	}
}

// anyText sets a string, the empty one too.
func (a *attributeList) anyText(key attribute.Key, v string) {
	v = validUTF8(v)
	a.begin(string(key), 1+sizeBytes(len(v)))
	a.wire = appendBytes(a.wire, fieldText, v)
}

func (a *attributeList) number(key attribute.Key, v int64) {
	a.begin(string(key), 1+sizeVarint(uint64(v)))
	a.wire = appendUint(a.wire, fieldNumber, uint64(v))
}

// count sets a number; zero is left out.
func (a *attributeList) count(key attribute.Key, v uint64) {
	if v != 0 {
		a.number(key, int64(saturate(v)))
	}
}

func (a *attributeList) double(key attribute.Key, v float64) {
	a.begin(string(key), 1+protowire.SizeFixed64())
	a.wire = appendDouble(a.wire, fieldDouble, v)
}

func (a *attributeList) flag(key attribute.Key, v bool) {
	a.begin(string(key), 1+1)
	a.wire = appendUint(a.wire, fieldFlag, protowire.EncodeBool(v))
}

// mark sets a flag that is true or absent.
func (a *attributeList) mark(key attribute.Key, v bool) {
	if v {
		a.flag(key, true)
	}
}

// item appends a string, the empty one too, to the list value that setList sets.
func (a *attributeList) item(v string) {
	v = validUTF8(v)
	a.array = appendSize(a.array, fieldItems, 1+sizeBytes(len(v)))
	a.array = appendBytes(a.array, fieldText, v)
}

func (a *attributeList) setList(key attribute.Key) {
	a.begin(string(key), 1+sizeBytes(len(a.array)))
	a.wire = appendBytes(a.wire, fieldArray, a.array)
	a.array = a.array[:0]
}

// set sets any value.
func (a *attributeList) set(kv attribute.KeyValue) {
	value := appendValue(nil, kv.Value)
	a.begin(validUTF8(string(kv.Key)), len(value))
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
		// The rest is text, or a kind that nothing here makes.
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
