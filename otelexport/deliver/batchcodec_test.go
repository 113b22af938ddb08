package deliver

import (
	"reflect"
	"strings"
	"testing"

	"github.com/procspan/procspan/otelexport/spool"
)

// FuzzDecodeBatch: nothing that can be stored panics, and what was stored comes
// back the same.
func FuzzDecodeBatch(f *testing.F) {
	b := &batch{}
	b.reset()
	for i := range 10 {
		b.add([]byte(strings.Repeat("x", i)), [][]byte{[]byte("r0"), nil}[i%2])
	}
	f.Add(b.items, encodeBatch(b).Data)
	f.Add(0, []byte{})
	f.Add(1, []byte{0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, items int, data []byte) {
		first, err := decodeBatch(spool.Record{Items: items, Data: data})
		if err != nil {
			return
		}
		again, err := decodeBatch(encodeBatch(first))
		if err != nil || !reflect.DeepEqual(first, again) {
			t.Fatalf("got %+v (%v), want %+v", again, err, first)
		}
	})
}
