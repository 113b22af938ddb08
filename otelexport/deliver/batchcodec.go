package deliver

import (
	"encoding/binary"
	"errors"

	"github.com/procspan/procspan/otelexport/spool"
)

// storedVersion is the version of encodeBatch's format.
const storedVersion = 1

// encodeBatch returns a batch as it is stored. For each part: the resource, the
// number of items, the length of each, and the items. Lengths and numbers are
// varints.
func encodeBatch(b *batch) spool.Record {
	data := make([]byte, 0, b.size+3*b.items+64)
	for _, p := range b.parts {
		data = binary.AppendUvarint(data, uint64(len(p.Resource)))
		data = append(data, p.Resource...)
		data = binary.AppendUvarint(data, uint64(len(p.ends)))
		begin := 0
		for _, end := range p.ends {
			data = binary.AppendUvarint(data, uint64(end-begin))
			begin = end
		}
		data = append(data, p.Items...)
	}
	return spool.Record{Items: b.items, Data: data}
}

var errNoBatch = errors.New("decode batch: truncated or damaged")

// decodeBatch is the inverse of encodeBatch. The batch shares the record's memory.
func decodeBatch(r spool.Record) (*batch, error) {
	b := &batch{}
	in := reader(r.Data)
	for len(in) > 0 {
		resource, ok := in.bytes()
		if !ok {
			return nil, errNoBatch
		}
		p := Part{Resource: resource}
		n, ok := in.number()
		if !ok || n > uint64(len(in)) { // each has a length
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
		p.Items, in = in[:total:total], in[total:]
		b.append(p)
	}
	if b.items != r.Items {
		return nil, errNoBatch
	}
	return b, nil
}

// reader is the rest of an encoded batch.
type reader []byte

func (in *reader) number() (uint64, bool) {
	v, n := binary.Uvarint(*in)
	if n <= 0 {
		return 0, false
	}
	*in = (*in)[n:]
	return v, true
}

func (in *reader) bytes() ([]byte, bool) {
	n, ok := in.number()
	if !ok || n > uint64(len(*in)) {
		return nil, false
	}
	b := (*in)[:n:n]
	*in = (*in)[n:]
	return b, true
}
