package otlpjson

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func mustMarshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func jsonOf(t testing.TB, m proto.Message) string {
	t.Helper()
	got, err := New(m.ProtoReflect().Descriptor()).Append(nil, mustMarshal(t, m))
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func stringValue(s string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
}

func TestSpan(t *testing.T) {
	got := jsonOf(t, &tracepb.Span{
		TraceId: bytes.Repeat([]byte{0xab}, 16), SpanId: []byte("12345678"), Name: "a\"b\\c\nd\x01é",
		Kind: tracepb.Span_SPAN_KIND_INTERNAL, StartTimeUnixNano: math.MaxUint64, Flags: 257,
		Attributes: []*commonpb.KeyValue{
			{Key: "n", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: -5}}},
			{Key: "d", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: 0.5}}},
			{Key: "empty", Value: stringValue("")},
			{Key: "list", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: []*commonpb.AnyValue{stringValue("x"), stringValue("y")}}}}},
			{Key: "bytes", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte{1, 2, 3}}}},
		},
		Events: []*tracepb.Span_Event{{TimeUnixNano: 7, Name: "e"}},
		Status: &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR},
	})
	want := `{"traceId":"` + strings.Repeat("ab", 16) + `","spanId":"3132333435363738","name":"a\"b\\c\nd\u0001é","kind":1,` +
		`"startTimeUnixNano":"18446744073709551615","attributes":[{"key":"n","value":{"intValue":"-5"}},{"key":"d","value":{"doubleValue":0.5}},` +
		`{"key":"empty","value":{"stringValue":""}},{"key":"list","value":{"arrayValue":{"values":[{"stringValue":"x"},{"stringValue":"y"}]}}},` +
		`{"key":"bytes","value":{"bytesValue":"AQID"}}],"events":[{"timeUnixNano":"7","name":"e"}],"status":{"code":2},"flags":257}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Elements of lists that stand apart are one list, as protobuf has it.
func TestScatteredLists(t *testing.T) {
	attribute := func(key string) []byte {
		return mustMarshal(t, &tracepb.Span{Attributes: []*commonpb.KeyValue{{Key: key}}})
	}
	wire := bytes.Join([][]byte{attribute("a"), mustMarshal(t, &tracepb.Span{Name: "n"}), attribute("b")}, nil)
	got, err := New((&tracepb.Span{}).ProtoReflect().Descriptor()).Append(nil, wire)
	if want := `{"attributes":[{"key":"a"},{"key":"b"}],"name":"n"}`; string(got) != want || err != nil {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
}

// Invalid strings become valid, and fields of a later OTLP are left out.
func TestInvalid(t *testing.T) {
	wire := protowire.AppendString(protowire.AppendTag(nil, 5, protowire.BytesType), "a\xffb\xed\xa0\x80")
	wire = protowire.AppendVarint(protowire.AppendTag(wire, 500, protowire.VarintType), 7)
	got, err := New((&tracepb.Span{}).ProtoReflect().Descriptor()).Append(nil, wire)
	if want := "{\"name\":\"a\ufffdb\ufffd\ufffd\ufffd\"}"; string(got) != want || err != nil || !json.Valid(got) {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
	m := New((&commonpb.AnyValue{}).ProtoReflect().Descriptor())
	deep := stringValue("x")
	for range maxDepth {
		deep = &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: []*commonpb.AnyValue{deep}}}}
	}
	if _, err := m.Append(nil, mustMarshal(t, deep)); err == nil {
		t.Error("a value nested 200 times: want an error")
	}
}

// kinds are all messages that are exported.
func kinds() []proto.Message {
	return []proto.Message{&coltracepb.ExportTraceServiceRequest{}, &collogspb.ExportLogsServiceRequest{}, &colmetricspb.ExportMetricsServiceRequest{}}
}

// Random requests mean the same as protojson's, which knows nothing of OTLP's ids.
func TestAgainstProtojson(t *testing.T) {
	for _, of := range kinds() {
		m := New(of.ProtoReflect().Descriptor())
		for seed := range uint64(300) {
			in := of.ProtoReflect().New()
			randomize(in, rand.New(rand.NewPCG(seed, 0)), 12)
			got, err := m.Append(nil, mustMarshal(t, in.Interface()))
			if err != nil {
				t.Fatal(err)
			}
			text, err := protojson.MarshalOptions{UseEnumNumbers: true}.Marshal(in.Interface())
			if err != nil {
				t.Fatal(err)
			}
			var have, want any
			if err := json.Unmarshal(got, &have); err != nil {
				t.Fatalf("%v: %s", err, got)
			}
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			if want = hexIDs(t, want); !reflect.DeepEqual(have, want) {
				t.Fatalf("seed %d of %s:\ngot  %s\nwant %s", seed, in.Descriptor().Name(), got, text)
			}
		}
	}
}

// hexIDs turns the ids in a document from base64 to hexadecimal.
func hexIDs(t *testing.T, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			v[key] = hexIDs(t, value)
			if text, ok := value.(string); ok && (key == "traceId" || key == "spanId" || key == "parentSpanId") {
				id, err := base64.StdEncoding.DecodeString(text)
				if err != nil {
					t.Fatal(err)
				}
				v[key] = hex.EncodeToString(id)
			}
		}
	case []any:
		for i := range v {
			v[i] = hexIDs(t, v[i])
		}
	}
	return v
}

// randomize fills some fields of a message.
func randomize(m protoreflect.Message, random *rand.Rand, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if random.IntN(2) == 0 || depth == 0 {
			continue
		}
		if !f.IsList() {
			m.Set(f, randomValue(m.NewField(f), f, random, depth))
			continue
		}
		list := m.Mutable(f).List()
		for range random.IntN(3) {
			list.Append(randomValue(list.NewElement(), f, random, depth))
		}
	}
}

func randomValue(zero protoreflect.Value, f protoreflect.FieldDescriptor, random *rand.Rand, depth int) protoreflect.Value {
	n := random.Uint64() >> random.IntN(64)
	switch f.Kind() {
	case protoreflect.MessageKind:
		randomize(zero.Message(), random, depth-1)
		return zero
	case protoreflect.StringKind:
		return protoreflect.ValueOfString([]string{"", "plain", "\"\\\n\t\x00\x1f\u2028</script>", "é漢😀"}[random.IntN(4)])
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte("\x00\xff0123456789")[:random.IntN(12)])
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(n&1 > 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(random.IntN(5)))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(int64(n))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64([]float64{0, 0.1, -1e300, math.NaN(), math.Inf(1), math.Inf(-1), 1e21}[random.IntN(7)])
	}
	return protoreflect.ValueOfUint64(n)
}

// Whatever the bytes are, what comes out is an error or JSON on one line.
func FuzzAppend(f *testing.F) {
	for _, of := range kinds() {
		in := of.ProtoReflect().New()
		randomize(in, rand.New(rand.NewPCG(1, 0)), 12)
		f.Add(mustMarshal(f, in.Interface()))
	}
	var all []*Message
	for _, of := range kinds() {
		all = append(all, New(of.ProtoReflect().Descriptor()))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		for _, m := range all {
			if got, err := m.Append(nil, wire); err == nil && (!json.Valid(got) || bytes.ContainsAny(got, "\n\r")) {
				t.Errorf("got %q", got)
			}
		}
	})
}

func BenchmarkSpan(b *testing.B) {
	in := &coltracepb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{}}}}}
	for range 100 {
		s := &tracepb.Span{TraceId: make([]byte, 16), SpanId: make([]byte, 8), ParentSpanId: make([]byte, 8), Name: "cc1", Kind: 1, StartTimeUnixNano: 1 << 60, EndTimeUnixNano: 1 << 60}
		for range 25 {
			s.Attributes = append(s.Attributes, &commonpb.KeyValue{Key: "process.some.attribute", Value: stringValue("a usual value of it")})
		}
		in.ResourceSpans[0].ScopeSpans[0].Spans = append(in.ResourceSpans[0].ScopeSpans[0].Spans, s)
	}
	wire := mustMarshal(b, in)
	m := New(in.ProtoReflect().Descriptor())
	perSpan := func(b *testing.B) { b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(100*b.N), "ns/span") }
	b.Run("otlpjson", func(b *testing.B) {
		var to []byte
		for b.Loop() {
			to, _ = m.Append(to[:0], wire)
		}
		perSpan(b)
	})
	b.Run("protojson", func(b *testing.B) {
		for b.Loop() {
			var out coltracepb.ExportTraceServiceRequest
			if err := proto.Unmarshal(wire, &out); err != nil {
				b.Fatal(err)
			}
			if _, err := protojson.Marshal(&out); err != nil {
				b.Fatal(err)
			}
		}
		perSpan(b)
	})
}
