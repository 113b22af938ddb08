package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
)

const roleLines = "lines"

// lineCounter reads what tracers print, and forgets it.
type lineCounter struct{ tally }

// The names of what a tracer prints on one descriptor.
const (
	printsExecs = "execs" // the name of the process first, on each line
	printsExits = "exits" // likewise
	printsBoth  = "both"  // the word exec or exit, then the name
)

// read counts lines until the end of r.
func (c *lineCounter) read(r io.Reader, kind string) error {
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := lines.ReadSlice('\n')
		c.bytes.Add(int64(len(line)))
		if errors.Is(err, bufio.ErrBufferFull) {
			err = nil // what follows counts as a line, of others
		}
		if len(line) > 0 {
			c.count(line, kind)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (c *lineCounter) count(line []byte, kind string) {
	word, rest := firstWord(line)
	if kind == printsBoth {
		switch string(word) {
		case "exec":
			kind = printsExecs
		case "exit":
			kind = printsExits
		default:
			kind = ""
		}
		word, _ = firstWord(rest)
	}
	own := string(word) == stormName
	switch {
	case string(word) == "PCOMM": // a heading
	case kind == printsExecs && own:
		c.execs.Add(1)
	case kind == printsExits && own:
		c.exits.Add(1)
	case kind == printsExecs:
		c.otherExecs.Add(1)
	case kind == printsExits:
		c.otherExits.Add(1)
	}
}

// firstWord returns the first word of a line and what follows it.
func firstWord(line []byte) (word, rest []byte) {
	line = bytes.TrimLeft(line, " ")
	if end := bytes.IndexAny(line, " \n"); end >= 0 {
		return line[:end], line[end:]
	}
	return line, nil
}

// receiveLines is the receiver of tracers that print. Arguments: what is
// printed on the descriptors from 3 on.
func receiveLines(kinds []string) error {
	var c lineCounter
	var open atomic.Int64
	open.Store(int64(len(kinds)))
	var wait sync.WaitGroup
	failed := make([]error, len(kinds))
	for i, kind := range kinds {
		wait.Go(func() {
			failed[i] = c.read(os.NewFile(uintptr(3+i), "output "+strconv.Itoa(i)), kind)
			open.Add(-1)
		})
	}
	err := answer(func() counts {
		done := open.Load() == 0 // first: what is counted later than this was not done
		current := c.counts()
		current.done = done
		return current
	})
	if open.Load() > 0 { // the bench is gone, or gave up
		return errors.Join(err, errors.New("a tracer's output was still open"))
	}
	wait.Wait()
	return errors.Join(append(failed, err)...)
}
