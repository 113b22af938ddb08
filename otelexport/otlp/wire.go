package otlp

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of messages in wire form. Nearly all numbers are small, and protowire's
// functions are too large to be inlined.

func appendVarint(b []byte, v uint64) []byte {
	if v < 1<<7 {
		return append(b, byte(v))
	}
	if v < 1<<14 {
		return append(b, byte(v)|1<<7, byte(v>>7))
	}
	return protowire.AppendVarint(b, v)
}

func sizeVarint(v uint64) int {
	switch {
	case v < 1<<7:
		return 1
	case v < 1<<14:
		return 2
	}
	return protowire.SizeVarint(v)
}

// sizeBytes returns the size of n bytes with their length prefix.
func sizeBytes(n int) int { return sizeVarint(uint64(n)) + n }

func appendTag(b []byte, field protowire.Number, kind protowire.Type) []byte {
	return appendVarint(b, protowire.EncodeTag(field, kind))
}

// appendSize begins a string or an embedded message of size bytes.
func appendSize(b []byte, field protowire.Number, size int) []byte {
	return appendVarint(appendTag(b, field, protowire.BytesType), uint64(size))
}

// appendBytes appends a field, even an empty one.
func appendBytes[T []byte | string](b []byte, field protowire.Number, v T) []byte {
	return append(appendSize(b, field, len(v)), v...)
}

func appendUint(b []byte, field protowire.Number, v uint64) []byte {
	return appendVarint(appendTag(b, field, protowire.VarintType), v)
}

// appendCount appends a count unless it is 0.
func appendCount(b []byte, field protowire.Number, n int) []byte {
	if n == 0 {
		return b
	}
	return appendUint(b, field, uint64(n))
}

func appendFixed64(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendFixed64(appendTag(b, field, protowire.Fixed64Type), v)
}

func appendFixed32(b []byte, field protowire.Number, v uint32) []byte {
	return protowire.AppendFixed32(appendTag(b, field, protowire.Fixed32Type), v)
}

func appendDouble(b []byte, field protowire.Number, v float64) []byte {
	return appendFixed64(b, field, math.Float64bits(v))
}
