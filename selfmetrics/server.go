package selfmetrics

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

type handler = http.Handler

const (
	// requestTimeout bounds each part of an exchange: reading the request, and
	// answering it.
	requestTimeout = 10 * time.Second
	// idleTimeout bounds the wait for the next request. A scrape per minute keeps its
	// connection.
	idleTimeout = 2 * time.Minute
	maxHeader   = 16 << 10 // bytes
	// maxConnections bounds the file descriptors that clients of a port can take.
	maxConnections = 16
)

// server answers HTTP at one address, in goroutines of its own.
type server struct {
	http     http.Server
	listener net.Listener
	done     chan struct{} // closed when Serve has returned
}

// listen starts a server. option is the setting to change if the address is in use.
func listen(what, option, address string, h handler, log *slog.Logger) (*server, error) {
	listener, err := bind(what, option, address)
	if err != nil {
		return nil, err
	}
	s := &server{listener: listener, done: make(chan struct{})}
	s.http = http.Server{
		Handler:           h,
		ReadHeaderTimeout: requestTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      requestTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ConnState:         new(connections).changed,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("server stopped", "server", what, "error", err)
		}
	}()
	return s, nil
}

// connections are the open ones of a server, the longest in its state first. A new
// one beyond maxConnections closes the first: idle connections cannot keep a scrape
// or a probe out, as they could if the server stopped accepting.
type connections struct {
	mu   sync.Mutex
	open []net.Conn
}

func (c *connections) changed(conn net.Conn, to http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.open, conn)
	if i >= 0 {
		c.open = slices.Delete(c.open, i, i+1)
	}
	// The goroutine of a connection that was closed here may still report what it read
	// before.
	if to == http.StateClosed || i < 0 && to != http.StateNew {
		return
	}
	if len(c.open) == maxConnections {
		_ = c.open[0].Close() // its goroutine reports the rest
		c.open = slices.Delete(c.open, 0, 1)
	}
	c.open = append(c.open, conn)
}

func bind(what, option, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serve %s: %w; is another procspan running? Otherwise change the %s", what, err, option)
	}
	return listener, nil
}

// tryBind returns why a server could not listen at an address, or nil.
func tryBind(what, option, address string) error {
	listener, err := bind(what, option, address)
	if err != nil {
		return err
	}
	return listener.Close()
}

func (s *server) address() string { return s.listener.Addr().String() }

// close closes the listener and every connection.
func (s *server) close() error {
	err := s.http.Close()
	<-s.done
	return err
}
