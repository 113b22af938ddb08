package otelexport

import (
	"encoding/binary"
	"errors"

	"github.com/procspan/procspan/otelexport/spool"
)

// storedVersion is that of the form in which a batch is stored. It changes with
// what encodeBatch writes.
const storedVersion = 1

// encodeBatch returns a batch as it is stored: for each part its resource's
// fields, the number of its items, the length of each, and the items. Lengths and
// numbers are varints.
func encodeBatch(b *batch) spool.Record {
	data := make([]byte, 0, b.size+3*b.items+64)
	for _, p := range b.parts {
		data = binary.AppendUvarint(data, uint64(len(p.resource.wire)))
		data = append(data, p.resource.wire...)
		data = binary.AppendUvarint(data, uint64(len(p.ends)))
		begin := 0
		for _, end := range p.ends {
			data = binary.AppendUvarint(data, uint64(end-begin))
			begin = end
		}
		data = append(data, p.wire...)
	}
	return spool.Record{Items: b.items, Data: data}
}

var errNoBatch = errors.New("a stored batch is not whole")

// decodeBatch returns the batch that was stored. It shares the record's memory.
func decodeBatch(r spool.Record) (*batch, error) {
	b := &batch{}
	in := stored(r.Data)
	for len(in) > 0 {
		resource, ok := in.bytes()
		if !ok {
			return nil, errNoBatch
		}
		p := part{resource: &Resource{wire: resource, size: len(resource) + partOverhead}}
		n, ok := in.number()
		if !ok || n > uint64(len(in)) { // each has its length at least
			return nil, errNoBatch
		}
		p.ends = make([]int, 0, n)
		total := uint64(0)
		for range n {
			size, ok := in.number()
			if total += size; !ok || size > uint64(len(in)) || total > uint64(len(in)) {
				return nil, errNoBatch
			}
			p.ends = append(p.ends, int(total))
		}
		if total > uint64(len(in)) {
			return nil, errNoBatch
		}
		p.wire, in = in[:total:total], in[total:]
		b.append(p)
	}
	if b.items != r.Items {
		return nil, errNoBatch
	}
	return b, nil
}

// stored is what is left to read of a stored batch.
type stored []byte

func (in *stored) number() (uint64, bool) {
	v, n := binary.Uvarint(*in)
	if n <= 0 {
		return 0, false
	}
	*in = (*in)[n:]
	return v, true
}

func (in *stored) bytes() ([]byte, bool) {
	n, ok := in.number()
	if !ok || n > uint64(len(*in)) {
		return nil, false
	}
	b := (*in)[:n:n]
	*in = (*in)[n:]
	return b, true
}
