package otlp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/catalogue"
	"github.com/procspan/procspan/process"
)

// limitedEncoder returns an encoder of all attributes with other limits.
func limitedEncoder(t testing.TB, spans config.SpanLimits, records config.AttributeLimits) *Encoder {
	t.Helper()
	clock, _ := testClock(t)
	return NewEncoder(Options{Clock: clock, Capture: fullCapture, SpanLimits: spans, RecordLimits: records})
}

func number(n int) *int { return &n }

// texts returns the strings of attributes, those in lists included.
func texts(list []*commonpb.KeyValue) (all []string) {
	for _, kv := range list {
		if items := kv.Value.GetArrayValue(); items != nil {
			for _, item := range items.Values {
				all = append(all, item.GetStringValue())
			}
		} else if _, ok := kv.Value.Value.(*commonpb.AnyValue_StringValue); ok {
			all = append(all, kv.Value.GetStringValue())
		}
	}
	return all
}

// A value is cut after so many characters, wherever it stands, and counted.
func TestValueLength(t *testing.T) {
	l := fullLifetime()
	l.Image.Args = "cc1\x00größe\x00日本語日本語\x00\xff\xfe\xfd\xff\x00-Dx\x00"
	l.Reexecs[0].To.Args = l.Image.Args
	whole := spanOf(t, limitedEncoder(t, config.DefaultTraces().Limits, config.AttributeLimits{}), l)
	for _, limit := range []int{0, 1, 3, 4, 5, 29, 4096} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			spans := config.DefaultTraces().Limits
			spans.ValueLength = number(limit)
			e := limitedEncoder(t, spans, spans.AttributeLimits)
			span := spanOf(t, e, l)
			want, got := texts(whole.Attributes), texts(span.Attributes)
			want, got = append(want, texts(whole.Events[0].Attributes)...), append(got, texts(span.Events[0].Attributes)...)
			cut := uint64(0)
			for i, text := range want {
				if runes := []rune(text); len(runes) > limit {
					want[i] = string(runes[:limit])
					cut++
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
			if n := *e.limited; n != (Limited{Values: cut}) {
				t.Errorf("counted %+v, want %d values", n, cut)
			}
			for _, text := range got {
				if !utf8.ValidString(text) {
					t.Errorf("%q is not UTF-8", text)
				}
			}
			wire, err := e.ExitRecord(l)
			if got := texts(decodeRecord(t, wire, err).Attributes); !slices.Equal(got, want[:len(got)]) {
				t.Errorf("record: got %q", got)
			}
		})
	}
}

// Attributes go by their level, the last of a level first, and are counted on the
// message and by the encoder.
func TestAttributeCount(t *testing.T) {
	l := fullLifetime()
	all := catalogue.All()
	levelOf := func(kv *commonpb.KeyValue) catalogue.Level {
		return all[slices.IndexFunc(all[:], func(a catalogue.Attribute) bool { return a.Describes(kv.Key) })].Level
	}
	whole := spanOf(t, limitedEncoder(t, config.DefaultTraces().Limits, config.AttributeLimits{}), l).Attributes
	for limit := 0; limit <= len(whole)+1; limit++ {
		left := slices.Clone(whole)
		for len(left) > limit {
			last := 0
			for i, kv := range left {
				if levelOf(kv) >= levelOf(left[last]) {
					last = i
				}
			}
			left = slices.Delete(left, last, last+1)
		}
		spans := config.DefaultTraces().Limits
		spans.Count, spans.EventAttributeCount = number(limit), 3
		e := limitedEncoder(t, spans, config.AttributeLimits{Count: number(limit / 2)})
		span := spanOf(t, e, l)
		if got, want := keysIn(span.Attributes), keysIn(left); !slices.Equal(got, want) {
			t.Fatalf("limit %d:\ngot  %q\nwant %q", limit, got, want)
		}
		dropped := len(whole) - len(left)
		inEvent := int(span.Events[0].DroppedAttributesCount)
		if span.DroppedAttributesCount != uint32(dropped) || len(span.Events[0].Attributes) != 3 || inEvent != 3 {
			t.Errorf("limit %d: %d dropped of the span, want %d, and %d of the event, want 3", limit, span.DroppedAttributesCount, dropped, inEvent)
		}
		if n := *e.limited; n != (Limited{Attributes: uint64(dropped + inEvent)}) {
			t.Errorf("limit %d: counted %+v, want %d attributes", limit, n, dropped+inEvent)
		}
		wire, err := e.ExitRecord(l)
		record := decodeRecord(t, wire, err)
		if len(record.Attributes) != min(limit/2, len(whole)) || len(record.Attributes)+int(record.DroppedAttributesCount) != len(whole) {
			t.Errorf("limit %d: the record has %d attributes, %d dropped", limit/2, len(record.Attributes), record.DroppedAttributesCount)
		}
	}
}

func keysIn(list []*commonpb.KeyValue) (all []string) {
	for _, kv := range list {
		all = append(all, kv.Key)
	}
	return all
}

// No process evicts its other attributes by a long BAGGAGE.
func TestBaggageGoesFirst(t *testing.T) {
	const members, limit = 60, 20
	l := commonLifetime()
	var bag strings.Builder
	for i := range members {
		fmt.Fprintf(&bag, "k%d=v,", i)
	}
	spans := config.DefaultTraces().Limits
	spans.Count = number(limit)
	e := limitedEncoder(t, spans, config.AttributeLimits{})
	want := keysIn(spanOf(t, e, l).Attributes)
	l.Image.Environment = "BAGGAGE=" + strings.TrimSuffix(bag.String(), ",") + "\x00"
	span := spanOf(t, e, l)
	got := slices.DeleteFunc(keysIn(span.Attributes), func(key string) bool { return strings.HasPrefix(key, catalogue.BaggageMembers) })
	if !slices.Equal(got, want) {
		t.Errorf("beside the baggage: got %q, want %q", got, want)
	}
	if len(span.Attributes) != limit || int(span.DroppedAttributesCount) != members+len(want)-limit {
		t.Errorf("%d attributes, %d dropped", len(span.Attributes), span.DroppedAttributesCount)
	}
}

func TestEventAndLinkCount(t *testing.T) {
	l := fullLifetime()
	l.Reexecs = append(l.Reexecs, l.Reexecs[0], l.Reexecs[0])
	for limit := range 5 {
		spans := config.DefaultTraces().Limits
		spans.EventCount, spans.LinkCount = limit, limit
		e := limitedEncoder(t, spans, config.AttributeLimits{})
		span := spanOf(t, e, l)
		events, links := min(3, limit), min(1, limit)
		if len(span.Events) != events || int(span.DroppedEventsCount) != l.ReexecsDropped+3-events {
			t.Errorf("limit %d: %d events, %d dropped", limit, len(span.Events), span.DroppedEventsCount)
		}
		if len(span.Links) != links || int(span.DroppedLinksCount) != 1-links {
			t.Errorf("limit %d: %d links, %d dropped", limit, len(span.Links), span.DroppedLinksCount)
		}
		if n := *e.limited; n != (Limited{Events: uint64(3 - events), Links: uint64(1 - links)}) {
			t.Errorf("limit %d: counted %+v", limit, n)
		}
	}
}

// Whatever a process did, its span has at most as many attributes as its profile
// promises, variables and baggage aside.
func TestProfiles(t *testing.T) {
	lifetimes := map[string]*process.Lifetime{"busy": busyLifetime()}
	for _, forked := range []bool{false, true} {
		for _, expected := range []bool{false, true} {
			for _, unseen := range []bool{false, true} {
				l := fullLifetime()
				l.Image.Environment, l.Image.EnvironmentCut = "", false
				l.Forked, l.StartEstimated, l.Expected, l.EndEstimated = forked, !forked, expected, unseen
				lifetimes[fmt.Sprintf("forked %t, expected %t, unseen %t", forked, expected, unseen)] = l
			}
		}
	}
	for profile, most := range map[config.AttributeName]int{"minimal": 16, "default": 32, "full": 128} {
		capture := fullCapture
		capture.Attributes = []config.AttributeName{profile}
		e := testEncoder(t, capture)
		for name, l := range lifetimes {
			if n := len(spanOf(t, e, l).Attributes); n > most {
				t.Errorf("%s, %s: %d attributes, want %d at most", profile, name, n, most)
			}
		}
	}
}
