package main

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"time"
)

// maxLines bounds the lines that wait for standard error.
const maxLines = 1024

// lineWriter writes what it is given in a goroutine of its own: who logs never waits
// for a terminal, a pipe or a journal that takes nothing. Lines that find no room are
// dropped, and their number is logged as soon as there is room again.
type lineWriter struct {
	to   io.Writer
	done chan struct{}

	mu      sync.Mutex
	lines   chan []byte // nil after close
	dropped int
}

func newLineWriter(to io.Writer) *lineWriter {
	w := &lineWriter{to: to, done: make(chan struct{}), lines: make(chan []byte, maxLines)}
	go w.run(w.lines)
	return w
}

// Write takes a copy of a line. It does not block.
func (w *lineWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.lines <- bytes.Clone(line):
	default:
		w.dropped++
	}
	return len(line), nil
}

func (w *lineWriter) run(lines <-chan []byte) {
	defer close(w.done)
	log := slog.New(slog.NewTextHandler(w.to, nil))
	for line := range lines {
		_, _ = w.to.Write(line) // nobody is left to report it to
		if n := w.takeDropped(); n > 0 {
			log.Warn("log lines dropped: standard error is too slow", "count", n)
		}
	}
}

func (w *lineWriter) takeDropped() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.dropped
	w.dropped = 0
	return n
}

// close waits until all lines are written, for a limited time.
func (w *lineWriter) close(within time.Duration) {
	w.mu.Lock()
	close(w.lines)
	w.lines = nil
	w.mu.Unlock()
	select {
	case <-w.done:
	case <-time.After(within):
	}
}
