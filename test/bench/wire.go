package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/klauspost/compress/zstd"
	_ "google.golang.org/grpc/encoding/gzip" // for requests that come compressed
)

// counted is a listener that counts what its connections receive.
type counted struct {
	net.Listener
	sink *sink
}

func (l counted) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return countedConn{c, l.sink}, err
}

type countedConn struct {
	net.Conn
	sink *sink
}

func (c countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.sink.wire.Add(int64(n))
	return n, err
}

// zstdEncoding is zstd for gRPC, which has gzip only.
type zstdEncoding struct{}

func (zstdEncoding) Name() string { return "zstd" }

func (zstdEncoding) Compress(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }

func (zstdEncoding) Decompress(r io.Reader) (io.Reader, error) {
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
}

// ServeHTTP takes a request of OTLP/HTTP.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := s.read(r)
	if err == nil {
		err = s.count(body, strings.HasSuffix(r.URL.Path, "/traces"))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (s *sink) read(r *http.Request) ([]byte, error) {
	var from io.Reader = r.Body
	var err error
	switch packed := r.Header.Get("Content-Encoding"); packed {
	case "":
	case "gzip":
		from, err = gzip.NewReader(from)
	case "zstd":
		from, err = zstdEncoding{}.Decompress(from)
	default:
		err = fmt.Errorf("encoding %q is not known", packed)
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(from)
}
