package deliver

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// compressor compresses requests of one connection, which one goroutine sends. It
// implements grpc.Compressor and grpc.Decompressor, which belong to a connection; a
// registered encoding.Compressor would belong to the whole program.
type compressor struct {
	name string
	pack func(to, from []byte) []byte
	read func(io.Reader) (io.Reader, error)
}

// newCompressor returns a compressor by its name in OTLP, or nil for "none".
func newCompressor(name string) (*compressor, error) {
	switch name {
	case "", "none":
		return nil, nil
	case "gzip":
		w := gzip.NewWriter(io.Discard)
		return &compressor{name, func(to, from []byte) []byte {
			b := bytes.NewBuffer(to)
			w.Reset(b)
			_, _ = w.Write(from) // a buffer takes everything
			_ = w.Close()
			return b.Bytes()
		}, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }}, nil
	case "zstd":
		// One block after the other, in the goroutine that sends.
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
		if err != nil {
			return nil, fmt.Errorf("prepare zstd: %w", err)
		}
		return &compressor{name, func(to, from []byte) []byte { return w.EncodeAll(from, to) }, func(r io.Reader) (io.Reader, error) {
			return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
		}}, nil
	}
	return nil, fmt.Errorf("prepare compression: unknown method %q; use none, gzip or zstd", name)
}

// Type implements grpc.Compressor and grpc.Decompressor.
func (c *compressor) Type() string { return c.name }

// packer is the compressor as grpc.Compressor, which writes.
type packer struct{ *compressor }

func (c packer) Do(w io.Writer, p []byte) error {
	_, err := w.Write(c.pack(nil, p))
	return err
}

// unpacker is the compressor as grpc.Decompressor, which reads.
type unpacker struct{ *compressor }

func (c unpacker) Do(r io.Reader) ([]byte, error) {
	from, err := c.read(r)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(from, maxAnswer+1))
}
