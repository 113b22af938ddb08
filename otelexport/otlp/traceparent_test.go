package otlp

import (
	"encoding/hex"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/baggage"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/process"
)

const (
	traceHex = "0af7651916cd43dd8448eb211c80319c"
	spanHex  = "b7ad6b7169203331"
)

// The rules are those of W3C Trace Context, section 3.2 and 3.3.
func TestExtract(t *testing.T) {
	valid := "00-" + traceHex + "-" + spanHex
	for _, tc := range []struct {
		name, parent, state string
		ok, sampled, random bool
		wantState           string
	}{
		{name: "sampled", parent: valid + "-01", ok: true, sampled: true},
		{name: "not sampled", parent: valid + "-00", ok: true},
		{name: "random", parent: valid + "-03", ok: true, sampled: true, random: true},
		{name: "other flags", parent: "01" + valid[2:] + "-fd", ok: true, sampled: true},
		{name: "with a state", parent: valid + "-01", state: "a=1,b@c=2", ok: true, sampled: true, wantState: "a=1,b@c=2"},
		{name: "a state that is not valid", parent: valid + "-01", state: "a=1,=", ok: true, sampled: true},
		{name: "a later version with more fields", parent: "01-" + traceHex + "-" + spanHex + "-01-more", ok: true, sampled: true},
		{name: "empty", parent: ""},
		{name: "rubbish", parent: "rubbish"},
		{name: "upper case", parent: strings.ToUpper(valid) + "-01"},
		{name: "no trace", parent: "00-" + strings.Repeat("0", 32) + "-" + spanHex + "-01"},
		{name: "no span", parent: "00-" + traceHex + "-" + strings.Repeat("0", 16) + "-01"},
		{name: "version ff", parent: "ff" + valid[2:] + "-01"},
		{name: "version 00 with more fields", parent: valid + "-01-more"},
		{name: "cut short", parent: valid + "-0"},
		{name: "no flags", parent: valid},
		{name: "a letter that is no digit", parent: "00-" + strings.Replace(traceHex, "0", "g", 1) + "-" + spanHex + "-01"},
		{name: "space", parent: " " + valid + "-01"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := Extract(tc.parent, tc.state)
			if ok != tc.ok || got.Sampled != tc.sampled || got.Random != tc.random || got.State != tc.wantState {
				t.Errorf("got %+v, %t; want sampled %t, random %t, state %q, %t", got, ok, tc.sampled, tc.random, tc.wantState, tc.ok)
			}
			if ok && (hex.EncodeToString(got.Context.Trace[:]) != traceHex || hex.EncodeToString(got.Context.Span[:]) != spanHex) {
				t.Errorf("got %x", got.Context)
			}
			if !ok && got != (process.Remote{}) {
				t.Errorf("got %+v of what is not valid", got)
			}
		})
	}
}

func TestTraceparent(t *testing.T) {
	want := contextOf(3, 4)
	for _, flags := range [][2]bool{{true, true}, {true, false}, {false, true}, {false, false}} {
		text := Traceparent(want, flags[0], flags[1])
		got, ok := Extract(text, "")
		if !ok || got.Context != want || got.Sampled != flags[0] || got.Random != flags[1] {
			t.Errorf("%q gives %+v, %t", text, got, ok)
		}
	}
}

func TestNewSampler(t *testing.T) {
	id := testIDs.TraceID(process.ID{PID: 1, Start: 1})
	remote := func(sampled bool) process.Remote { return process.Remote{Context: contextOf(3, 4), Sampled: sampled} }
	for _, tc := range []struct {
		name    string
		sampler config.Sampler
		honour  bool
		// whether each is sampled
		begun, sampled, notSampled bool
	}{
		{"default", config.DefaultTraces().Sampler, true, true, true, false},
		{"default, flag not honoured", config.DefaultTraces().Sampler, false, true, true, true},
		{"always_on", config.Sampler{Root: 1, RemoteParentSampled: 1, RemoteParentNotSampled: 1}, true, true, true, true},
		{"always_off", config.Sampler{}, true, false, false, false},
		{"nothing of our own", config.Sampler{RemoteParentSampled: 1}, true, false, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sample := NewSampler(tc.sampler, tc.honour)
			got := [3]bool{sample(id, process.Remote{}), sample(id, remote(true)), sample(id, remote(false))}
			if want := [3]bool{tc.begun, tc.sampled, tc.notSampled}; got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// A share of the traces is sampled, always the same ones.
func TestSampledShare(t *testing.T) {
	const n = 20_000
	sample := NewSampler(config.Sampler{Root: 0.25}, true)
	sampled := 0
	for i := range n {
		id := testIDs.TraceID(process.ID{PID: uint32(i), Start: process.Time(i) * 1000})
		if sample(id, process.Remote{}) {
			sampled++
			if !sample(id, process.Remote{}) {
				t.Fatalf("%x is sampled once, and then not", id)
			}
		}
	}
	if sampled < n/4-400 || sampled > n/4+400 { // 6 standard deviations
		t.Errorf("%d of %d are sampled, want a quarter", sampled, n)
	}
}

// Whatever stands in an environment, what comes out is a name that can be sent.
func FuzzTraceContext(f *testing.F) {
	f.Add("00-"+traceHex+"-"+spanHex+"-01", "a=1,b=2", "user=anne;p=1")
	f.Add("01-"+traceHex+"-"+spanHex+"-01-x", "a=1,a=2", "=")
	f.Add("", "", "\xff=%zz")
	f.Fuzz(func(t *testing.T, parent, state, bag string) {
		remote, ok := Extract(parent, state)
		if ok != !remote.Context.IsZero() || ok && (remote.Context.Trace == (process.TraceID{}) || remote.Context.Span == (process.SpanID{})) {
			t.Errorf("%q gives %+v, %t", parent, remote, ok)
		}
		if again, ok2 := Extract(Traceparent(remote.Context, remote.Sampled, remote.Random), remote.State); ok && (!ok2 || again != remote) {
			t.Errorf("%+v comes back as %+v", remote, again)
		}
		e := testEncoder(t, fullCapture)
		l := commonLifetime()
		l.TraceState, l.Image.Environment = remote.State, "BAGGAGE="+strings.ReplaceAll(bag, "\x00", "")+"\x00"
		wire, err := encodeSpan(e, l)
		if err != nil {
			t.Fatalf("%q: %v", bag, err)
		}
		got := 0
		for key := range values(decodeSpan(t, wire).Attributes) {
			if strings.HasPrefix(key, "procspan.baggage.") {
				got++
			}
		}
		if want, err := baggage.Parse(strings.ReplaceAll(bag, "\x00", "")); err == nil && got > want.Len() {
			t.Errorf("%d attributes of %d members", got, want.Len())
		} else if err != nil && got > 0 {
			t.Errorf("%d attributes of a baggage that is not valid", got)
		}
	})
}
