package selfmetrics

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

type handler = http.Handler

const (
	// requestTimeout bounds each part of an exchange: reading the request, and
	// answering.
	requestTimeout = 10 * time.Second
	// idleTimeout is how long a connection waits for the next request; a scrape a
	// minute keeps its own.
	idleTimeout = 2 * time.Minute
	maxHeader   = 16 << 10 // bytes
)

// server answers HTTP at one address, in goroutines of its own.
type server struct {
	http     http.Server
	listener net.Listener
	done     chan struct{} // closed when it serves no more
}

// listen returns a server at work. option says what to change where the address
// cannot be had.
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
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error(what+" no longer served", "error", err)
		}
	}()
	return s, nil
}

func bind(what, option, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serve %s: %w; is another procspan running? Otherwise change the %s", what, err, option)
	}
	return listener, nil
}

// tryBind says why a server for this could not listen at an address, if so.
func tryBind(what, option, address string) error {
	listener, err := bind(what, option, address)
	if err != nil {
		return err
	}
	return listener.Close()
}

func (s *server) address() string { return s.listener.Addr().String() }

// close ends it at once: whoever asks now gets no answer.
func (s *server) close() error {
	err := s.http.Close()
	<-s.done
	return err
}
