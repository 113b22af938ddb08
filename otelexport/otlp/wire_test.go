package otlp

import (
	"bytes"
	"strings"
	"testing"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

func TestVarint(t *testing.T) {
	for shift := range 64 {
		for _, v := range []uint64{1<<shift - 1, 1 << shift, 1<<shift + 1} {
			if got, want := appendVarint(nil, v), protowire.AppendVarint(nil, v); !bytes.Equal(got, want) || sizeVarint(v) != len(want) {
				t.Errorf("%d is %x of %d bytes, want %x", v, got, sizeVarint(v), want)
			}
		}
	}
}

// Attributes are well formed where the length of a part needs another byte.
func TestAttributeLengths(t *testing.T) {
	for _, key := range []int{0, 1, 60, 126, 127, 128, 200, 16_383, 16_384} {
		for _, value := range []int{0, 1, 60, 63, 64, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 16_383, 16_384} {
			name, text := strings.Repeat("k", key), strings.Repeat("v", value)
			var list attributeList
			list.reset(fieldValues)
			list.begin(keyed(name), 1+sizeBytes(len(text)))
			list.wire = appendBytes(list.wire, fieldText, text)
			var got commonpb.KeyValueList
			if err := proto.Unmarshal(list.wire, &got); err != nil {
				t.Fatalf("key of %d, value of %d bytes: %v", key, value, err)
			}
			if len(got.Values) != 1 || got.Values[0].Key != name || got.Values[0].Value.GetStringValue() != text {
				t.Errorf("key of %d, value of %d bytes: they do not come back", key, value)
			}
		}
	}
}

// fieldValues is KeyValueList.values in opentelemetry/proto/common/v1.
const fieldValues = 1
