package seglog

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

// BenchmarkAppend appends without fsync, as the handover's journal does.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{300, 64 << 10, 2 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l := testLog(b, testDir(b, b.TempDir()), 16<<20)
			r := Record{[]byte{1}, make([]byte, size)}
			b.SetBytes(r.Size())
			for b.Loop() {
				appendTo(b, l, r)
				if l.Size() > 64<<20 {
					if err := l.Drop(l.Next()); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkRead reads 16 MiB.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{300, 64 << 10, 2 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l := testLog(b, testDir(b, b.TempDir()), 4<<20)
			r := Record{[]byte{1}, make([]byte, size)}
			for l.Size() < 16<<20 {
				appendTo(b, l, r)
			}
			b.SetBytes(l.Size())
			for b.Loop() {
				r := NewReader(l.o.Dir, "log")
				for {
					if _, _, err := r.Next(); errors.Is(err, io.EOF) {
						break
					} else if err != nil {
						b.Fatal(err)
					}
					if _, err := r.Body(); err != nil {
						b.Fatal(err)
					}
				}
				r.Close()
			}
		})
	}
}
