package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
)

// receiver is a process that takes what a tracer delivers, and counts.
type receiver struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// counts is what a receiver has received. Of the storm's processes only,
// unless it says otherwise.
type counts struct {
	Spans int `json:"spans"`
	Execs int `json:"execs"` // lines or log records that say a start
	Exits int `json:"exits"` // lines or log records that say an end
	// The same of all other processes.
	OtherSpans int `json:"other_spans"`
	OtherExecs int `json:"other_execs"`
	OtherExits int `json:"other_exits"`
	// Bytes is all that was received.
	Bytes int `json:"bytes"`
	// Wire is what came in by the sockets.
	Wire int `json:"wire,omitempty"`
	// done is set when nothing can come any more.
	done bool
}

// tally is counts that are read while they are made.
type tally struct {
	spans, execs, exits, otherSpans, otherExecs, otherExits, bytes, wire atomic.Int64
}

func (t *tally) counts() counts {
	return counts{
		Spans: int(t.spans.Load()), Execs: int(t.execs.Load()), Exits: int(t.exits.Load()),
		OtherSpans: int(t.otherSpans.Load()), OtherExecs: int(t.otherExecs.Load()), OtherExits: int(t.otherExits.Load()),
		Bytes: int(t.bytes.Load()), Wire: int(t.wire.Load()),
	}
}

// receive starts a receiver. files become its descriptors from 3 on.
func (l *lab) receive(ctx context.Context, files []*os.File, args ...string) (*receiver, error) {
	cmd := exec.CommandContext(ctx, l.self, args...)
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = files
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a receiver: %w", err)
	}
	return &receiver{cmd: cmd, in: in, out: bufio.NewReader(out)}, nil
}

// counts asks what has been received so far.
func (r *receiver) counts() (c counts, err error) {
	if _, err := io.WriteString(r.in, "\n"); err != nil {
		return c, fmt.Errorf("ask the receiver: %w", err)
	}
	line, err := r.out.ReadString('\n')
	if err == nil {
		_, err = fmt.Sscan(line, &c.Spans, &c.Execs, &c.Exits, &c.OtherSpans, &c.OtherExecs, &c.OtherExits, &c.Bytes, &c.Wire, &c.done)
	}
	if err != nil {
		return c, fmt.Errorf("ask the receiver: %q: %w", line, err)
	}
	return c, nil
}

func (r *receiver) close() error {
	r.in.Close()
	return r.cmd.Wait()
}

// answer is the receiver's side: it says its counts for each line of standard
// input, until that ends.
func answer(current func() counts) error {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		c := current()
		fmt.Println(c.Spans, c.Execs, c.Exits, c.OtherSpans, c.OtherExecs, c.OtherExits, c.Bytes, c.Wire, c.done)
	}
	return lines.Err()
}
