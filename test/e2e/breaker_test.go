package e2e

import (
	"io"
	"net"
	"sync"
	"testing"
)

// breaker is a TCP proxy that can be cut off at any moment.
type breaker struct {
	address  string
	mu       sync.Mutex
	target   string // "" while it is cut
	carrying map[*net.TCPConn]bool
}

func newBreaker(t *testing.T) *breaker {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &breaker{address: listener.Addr().String(), carrying: map[*net.TCPConn]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return // closed
			}
			serving.Go(func() { b.carry(from.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		b.cut()
		serving.Wait()
	})
	return b
}

// connect lets new connections through to target.
func (b *breaker) connect(target string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.target = target
}

// cut resets all connections, and those to come.
func (b *breaker) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.target = ""
	for c := range b.carrying {
		reset(c)
	}
	clear(b.carrying)
}

func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

func (b *breaker) carry(from *net.TCPConn) {
	b.mu.Lock()
	target := b.target
	b.mu.Unlock()
	to, err := net.Dial("tcp4", target)
	if err != nil {
		reset(from)
		return
	}
	ends := [2]*net.TCPConn{from, to.(*net.TCPConn)}
	b.mu.Lock()
	through := b.target == target
	for _, c := range ends {
		b.carrying[c] = through
	}
	b.mu.Unlock()
	var copying sync.WaitGroup
	for i, c := range ends {
		copying.Go(func() {
			_, _ = io.Copy(c, ends[1-i])
			reset(c)
			reset(ends[1-i])
		})
		if !through {
			reset(c)
		}
	}
	copying.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range ends {
		delete(b.carrying, c)
	}
}
