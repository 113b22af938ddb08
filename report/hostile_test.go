package report

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/procspan/procspan/test/lifetimes"
	"github.com/procspan/procspan/timeline"
)

// The page has the elements that page.go gives it, whatever processes are
// called: one script that runs, no handler, no link, nothing to load.
func TestHostilePage(t *testing.T) {
	elements := func(a *timeline.Analysis) map[string]int {
		var b bytes.Buffer
		if err := HTML(&b, a); err != nil {
			t.Fatal(err)
		}
		root, err := html.Parse(&b)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]int{}
		for n := range root.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			found[n.Data]++
			for _, at := range n.Attr {
				if strings.HasPrefix(at.Key, "on") || at.Key == "src" || at.Key == "href" || at.Key == "style" {
					t.Errorf("<%s> has %s=%.60q", n.Data, at.Key, at.Val)
				}
			}
		}
		return found
	}
	got, want := elements(timeline.Analyse(lifetimes.Hostile())), elements(timeline.Analyse(lifetimes.Make(5)))
	for name := range got {
		if want[name] == 0 {
			t.Errorf("the page has <%s>, which no page has", name)
		}
	}
	for _, once := range []string{"script", "style", "title", "h1", "canvas"} {
		if got[once] != want[once] {
			t.Errorf("%d <%s>, want %d", got[once], once, want[once])
		}
	}
}

// On a terminal and in Markdown nothing acts.
func TestHostileText(t *testing.T) {
	a := timeline.Analyse(lifetimes.Hostile())
	var text, markdown bytes.Buffer
	if err := Text(&text, a, 120, 0); err != nil {
		t.Fatal(err)
	}
	if err := Markdown(&markdown, a); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]string{"text": text.String(), "Markdown": markdown.String()} {
		for _, bad := range []string{"\x1b", "\u202e", "\x00", "\x07", "\r"} {
			if strings.Contains(b, bad) {
				t.Errorf("the %s contains %q", name, bad)
			}
		}
	}
	for _, bad := range []string{"<script", "<img", "<svg", "](http", "`x`"} {
		if strings.Contains(markdown.String(), bad) {
			t.Errorf("the Markdown contains %q", bad)
		}
	}
	if markdown.Len() > 1<<20 {
		t.Errorf("the Markdown has %d bytes", markdown.Len())
	}
}

// The other forms stay what they are.
func TestHostileForms(t *testing.T) {
	a := timeline.Analyse(lifetimes.Hostile())
	for name, write := range map[string]func(io.Writer, *timeline.Analysis) error{"JSON": WriteJSON, "Chrome": Chrome} {
		var b bytes.Buffer
		if err := write(&b, a); err != nil {
			t.Fatal(err)
		}
		if !json.Valid(b.Bytes()) {
			t.Errorf("the %s is no JSON", name)
		}
	}
	var b bytes.Buffer
	if err := OTLP(&b, a); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line of %d bytes is no JSON", len(line))
		}
	}
}

// A Perfetto file, read back by its field numbers, has every process once, with
// its begin, its end and its name, and all slices of a track are apart.
func TestPerfetto(t *testing.T) {
	a := timeline.Analyse(lifetimes.Make(300))
	var b bytes.Buffer
	if err := Perfetto(&b, a); err != nil {
		t.Fatal(err)
	}
	type slice struct{ from, to uint64 }
	slices, names, open := map[uint64][]slice{}, map[uint64]string{}, map[uint64]uint64{}
	count := map[string]int{}
	for rest := b.Bytes(); len(rest) > 0; {
		var packet []byte
		packet, rest = field(t, rest, fieldTracePacket)
		p := message(t, packet)
		if interned := p[fieldPacketInterned]; interned != nil {
			for _, n := range p.all(t, interned[0], fieldInternedNames) {
				m := message(t, n)
				names[m.number(fieldInternedID)] = string(m[fieldInternedText][0])
			}
		}
		if p[fieldPacketEvent] == nil {
			continue
		}
		e := message(t, p[fieldPacketEvent][0])
		track, at := e.number(fieldEventTrack), p.number(fieldPacketTime)
		switch e.number(fieldEventType) {
		case eventBegin:
			open[track] = at
			if track >= trackLanes {
				count[names[e.number(fieldEventNameID)]]++
			}
		case eventEnd:
			slices[track] = append(slices[track], slice{open[track], at})
		}
	}
	if count["cc"] != 300 || count["cc1"] != 300 || count["ld"] != 1 || count["make"] != 1 {
		t.Errorf("slices by name: %v", count)
	}
	sum, last := uint64(0), map[uint64]uint64{}
	for track, all := range slices {
		for _, s := range all {
			if s.from < last[track] || s.to < s.from {
				t.Fatalf("track %d: slice %d-%d begins before the end of another, %d", track, s.from, s.to, last[track])
			}
			last[track] = s.to
			if track >= trackLanes {
				sum += s.to - s.from
			}
		}
	}
	want := uint64(0)
	for i := range a.Len() {
		want += uint64(a.Duration(i))
	}
	if sum != want {
		t.Errorf("the slices last %d ns, the processes %d", sum, want)
	}
}

// fields are the values of a message by number: bytes, or a number's varint.
type fields map[protowire.Number][][]byte

func (f fields) number(n protowire.Number) uint64 {
	if len(f[n]) == 0 {
		return 0
	}
	v, _ := protowire.ConsumeVarint(f[n][0])
	return v
}

func (fields) all(t *testing.T, b []byte, n protowire.Number) [][]byte { return message(t, b)[n] }

func message(t *testing.T, b []byte) fields {
	t.Helper()
	all := fields{}
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			t.Fatal("a damaged tag")
		}
		b = b[size:]
		size = protowire.ConsumeFieldValue(n, kind, b)
		if size < 0 {
			t.Fatal("a damaged field")
		}
		value := b[:size]
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(b)
		}
		all[n] = append(all[n], value)
		b = b[size:]
	}
	return all
}

func field(t *testing.T, b []byte, want protowire.Number) (value, rest []byte) {
	t.Helper()
	n, kind, size := protowire.ConsumeTag(b)
	if size < 0 || n != want || kind != protowire.BytesType {
		t.Fatalf("field %d of kind %d, want %d", n, kind, want)
	}
	value, length := protowire.ConsumeBytes(b[size:])
	if length < 0 || length > math.MaxInt32 {
		t.Fatal("a damaged packet")
	}
	return value, b[size+length:]
}
