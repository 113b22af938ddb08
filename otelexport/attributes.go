package otelexport

import (
	"math"

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
	b := protowire.AppendTag(a.wire, a.field, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(
		protowire.SizeTag(fieldKey)+protowire.SizeBytes(len(key))+
			protowire.SizeTag(fieldValue)+protowire.SizeBytes(value)))
	b = protowire.AppendTag(b, fieldKey, protowire.BytesType)
	b = protowire.AppendString(b, key)
	b = protowire.AppendTag(b, fieldValue, protowire.BytesType)
	a.wire = protowire.AppendVarint(b, uint64(value))
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
	a.begin(string(key), protowire.SizeTag(fieldText)+protowire.SizeBytes(len(v)))
	a.wire = appendText(a.wire, v)
}

func (a *attributeList) number(key attribute.Key, v int64) {
	a.begin(string(key), protowire.SizeTag(fieldNumber)+protowire.SizeVarint(uint64(v)))
	a.wire = appendNumber(a.wire, v)
}

// count sets a number; zero is left out.
func (a *attributeList) count(key attribute.Key, v uint64) {
	if v != 0 {
		a.number(key, int64(saturate(v)))
	}
}

func (a *attributeList) double(key attribute.Key, v float64) {
	a.begin(string(key), protowire.SizeTag(fieldDouble)+protowire.SizeFixed64())
	a.wire = appendDouble(a.wire, v)
}

func (a *attributeList) flag(key attribute.Key, v bool) {
	a.begin(string(key), protowire.SizeTag(fieldFlag)+protowire.SizeVarint(1))
	a.wire = appendFlag(a.wire, v)
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
	a.array = protowire.AppendTag(a.array, fieldItems, protowire.BytesType)
	a.array = protowire.AppendVarint(a.array, uint64(protowire.SizeTag(fieldText)+protowire.SizeBytes(len(v))))
	a.array = appendText(a.array, v)
}

func (a *attributeList) setList(key attribute.Key) {
	a.begin(string(key), protowire.SizeTag(fieldArray)+protowire.SizeBytes(len(a.array)))
	a.wire = protowire.AppendTag(a.wire, fieldArray, protowire.BytesType)
	a.wire = protowire.AppendBytes(a.wire, a.array)
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
		return appendFlag(b, v.AsBool())
	case attribute.INT64:
		return appendNumber(b, v.AsInt64())
	case attribute.FLOAT64:
		return appendDouble(b, v.AsFloat64())
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
		return appendText(b, validUTF8(v.String()))
	}
}

func appendArray[T any](b []byte, items []T, value func(T) attribute.Value) []byte {
	var array []byte
	for _, item := range items {
		array = protowire.AppendTag(array, fieldItems, protowire.BytesType)
		array = protowire.AppendBytes(array, appendValue(nil, value(item)))
	}
	b = protowire.AppendTag(b, fieldArray, protowire.BytesType)
	return protowire.AppendBytes(b, array)
}

func appendText(b []byte, v string) []byte {
	b = protowire.AppendTag(b, fieldText, protowire.BytesType)
	return protowire.AppendString(b, v)
}

func appendNumber(b []byte, v int64) []byte {
	b = protowire.AppendTag(b, fieldNumber, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(v))
}

func appendDouble(b []byte, v float64) []byte {
	b = protowire.AppendTag(b, fieldDouble, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, math.Float64bits(v))
}

func appendFlag(b []byte, v bool) []byte {
	b = protowire.AppendTag(b, fieldFlag, protowire.VarintType)
	return protowire.AppendVarint(b, protowire.EncodeBool(v))
}
