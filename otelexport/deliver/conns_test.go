package deliver

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
)

// first misbehaves on the first n connections. What it returns is served.
func first(n int, misbehave func(net.Conn) net.Conn) func(int, net.Conn) net.Conn {
	return func(i int, conn net.Conn) net.Conn {
		if i < n {
			return misbehave(conn)
		}
		return conn
	}
}

// oddListener hands on only those connections that conns returns.
type oddListener struct {
	net.Listener
	conns func(int, net.Conn) net.Conn
	n     int
}

func (l *oddListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		n := l.n
		l.n++
		if conn = l.conns(n, conn); conn != nil {
			return conn, nil
		}
	}
}

// reset ends a connection as a crash does.
func reset(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

// answerWith reads what a client says at first, answers with a text, and closes.
func answerWith(conn net.Conn, text string) net.Conn {
	buffer := make([]byte, 24) // the preface of HTTP/2
	if _, err := io.ReadFull(conn, buffer); err == nil {
		_, _ = io.WriteString(conn, text) // the client may have gone
	}
	conn.Close()
	return nil
}

// brittleConn is reset when so many bytes were read; a silent one, when the server
// answers a request.
type brittleConn struct {
	net.Conn
	reads  int
	silent bool
	once   sync.Once
}

func (c *brittleConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.reads -= n; c.reads < 0 {
		c.once.Do(func() { reset(c.Conn) })
		return 0, errors.New("reset by the test")
	}
	return n, err
}

func (c *brittleConn) Write(b []byte) (int, error) {
	for rest := b; c.silent && len(rest) >= 9; { // frames: length, type, flags, stream
		if rest[3] == headersFrame {
			c.once.Do(func() { reset(c.Conn) })
			return 0, errors.New("reset by the test")
		}
		length := int(rest[0])<<16 | int(rest[1])<<8 | int(rest[2])
		rest = rest[min(9+length, len(rest)):]
	}
	return c.Conn.Write(b)
}

// Types and flags of HTTP/2 frames, and two header blocks (RFC 9113, RFC 7541).
const (
	dataFrame, headersFrame, rstStream, settings = 0, 1, 3, 4
	endStream, endHeaders                        = 1, 4
	status404, status500                         = 0x8d, 0x8e // of HPACK's static table
)

// frame returns an HTTP/2 frame of a stream that is filled in later.
func frame(kind, flags byte, payload ...byte) []byte {
	return append([]byte{0, 0, byte(len(payload)), kind, flags, 0, 0, 0, 0}, payload...)
}

// answerOnce reads one request, answers it with a frame, and closes.
func answerOnce(answer []byte) func(net.Conn) net.Conn {
	return func(conn net.Conn) net.Conn {
		go func() {
			defer conn.Close()
			if _, err := io.CopyN(io.Discard, conn, 24); err != nil { // the preface
				return
			}
			_, _ = conn.Write(frame(settings, 0))
			for header := make([]byte, 9); ; {
				if _, err := io.ReadFull(conn, header); err != nil {
					return
				}
				length := int64(header[0])<<16 | int64(header[1])<<8 | int64(header[2])
				if _, err := io.CopyN(io.Discard, conn, length); err != nil {
					return
				}
				if header[3] == dataFrame && header[4]&endStream != 0 {
					reply := bytes.Clone(answer)
					copy(reply[5:], header[5:]) // the stream
					_, _ = conn.Write(reply)
					return
				}
			}
		}()
		return nil
	}
}
