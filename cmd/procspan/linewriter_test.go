package main

import (
	"bufio"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/test/noleak"
)

// Standard error that nobody reads does not hold up who logs, nor the end. What is
// dropped is counted, and the count is logged when it is read again.
func TestLineWriterStuck(t *testing.T) {
	defer noleak.Verify(t)
	reader, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := unix.SetNonblock(int(stderr.Fd()), false); err != nil {
		t.Fatal(err)
	}
	w := newLineWriter(stderr)
	log := slog.New(slog.NewTextHandler(w, nil))
	const lines = 5000 // more than the pipe and the queue hold
	text := strings.Repeat("x", 100)
	for range lines {
		log.Info(text)
	}
	begin := time.Now()
	w.close(10 * time.Millisecond)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the end took %s", took)
	}
	read := make(chan []string)
	go func() {
		var all []string
		for scanner := bufio.NewScanner(reader); scanner.Scan(); {
			all = append(all, scanner.Text())
		}
		read <- all
	}()
	<-w.done
	stderr.Close()
	all := <-read
	written, reports, dropped := 0, 0, 0
	for _, line := range all {
		switch {
		case strings.Contains(line, "log lines dropped"):
			_, count, _ := strings.Cut(line, "count=")
			n, err := strconv.Atoi(count)
			if err != nil {
				t.Errorf("got %q", line)
			}
			reports, dropped = reports+1, dropped+n
		case strings.Contains(line, text):
			written++
		}
	}
	if reports == 0 || written >= lines || written < maxLines || written+dropped != lines {
		t.Errorf("%d lines of %d were written, and %d dropped in %d reports", written, lines, dropped, reports)
	}
}

// Lines come out whole, in order, and all before the end.
func TestLineWriter(t *testing.T) {
	defer noleak.Verify(t)
	var out strings.Builder
	w := newLineWriter(&out)
	for _, line := range []string{"one\n", "two\n", "three\n"} {
		if _, err := io.WriteString(w, line); err != nil {
			t.Fatal(err)
		}
	}
	w.close(time.Minute)
	if out.String() != "one\ntwo\nthree\n" {
		t.Errorf("got %q", out.String())
	}
	if _, err := io.WriteString(w, "late\n"); err != nil { // as a goroutine does that ends later
		t.Fatal(err)
	}
}
