package timeline

import (
	"bytes"
	"compress/gzip"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
)

func TestEncodeDecode(t *testing.T) {
	for _, m := range []*Model{
		buildJob(makeJob(500)),
		NewBuilder().Model(Job{}),
		randomModel(rand.New(rand.NewPCG(1, 1)), 50, "make"),
	} {
		var b bytes.Buffer
		if err := m.Encode(&b); err != nil {
			t.Fatal(err)
		}
		encoded := bytes.Clone(b.Bytes())
		got, err := Decode(&b)
		if err != nil {
			t.Fatal(err)
		}
		m.Job.Root = got.Job.Root // an index says it
		got.Job.Begin = m.Job.Begin
		if !reflect.DeepEqual(got, m) && m.Len() > 0 {
			t.Errorf("decoded %d processes, encoded %d, and they differ", got.Len(), m.Len())
		}
		b.Reset()
		if err := got.Encode(&b); err != nil || !bytes.Equal(b.Bytes(), encoded) {
			t.Errorf("encoding again gives other bytes: %v", err)
		}
	}
}

// Nothing that can be read makes the rest of the package fail.
func FuzzDecode(f *testing.F) {
	for _, m := range []*Model{buildJob(makeJob(5)), NewBuilder().Model(Job{})} {
		var b bytes.Buffer
		if err := m.Encode(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(bytes.NewReader(data))
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("%v is no ErrFormat", err)
			}
			return
		}
		p := m.Path()
		at := int64(0)
		for _, s := range p.Segments {
			if s.Start != at {
				t.Fatalf("segment %+v does not follow %d", s, at)
			}
			at = s.End
		}
		m.Load(10)
		m.Commands(p)
		m.Findings(p)
		m.WhatIf(p).Holders(3)
		Compare([]*Model{m}, []*Model{m})
	})
}

func TestSizeEncoded(t *testing.T) {
	m := buildJob(makeJob(2500))
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := m.Encode(z); err != nil {
		t.Fatal(err)
	}
	z.Close()
	if per := b.Len() / m.Len(); per > 60 {
		t.Errorf("%d bytes a process, want 60 at most: a report of 5,000 has 400 KB", per)
	}
	t.Logf("%d processes, %d bytes", m.Len(), b.Len())
}
