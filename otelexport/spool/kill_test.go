package spool

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/procspan/procspan/test/noleak"
)

// victimDirectory has the test binary be the program that is killed.
const victimDirectory = "PROCSPAN_TEST_SPOOL"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDirectory); dir != "" {
		if err := victim(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	noleak.Main(m)
}

// victim takes some records out, and puts others in until it is killed. It says
// of each change that it is done, when it is.
func victim(dir string) error {
	s, err := Open(Options{Directory: dir, MaxSize: 1 << 30, MaxAge: 1 << 60, Version: 1})
	if err != nil {
		return err
	}
	lane := s.Lane("a", &ear{})
	next, err := strconv.Atoi(os.Getenv(victimDirectory + "_NEXT"))
	if err != nil {
		return err
	}
	for ; ; next++ {
		text := numbered(next)
		if err := lane.Put(Record{1, []byte(text)}); err != nil {
			return err
		}
		fmt.Println("put", next)
		if next%2 == 0 {
			continue
		}
		key, r, err := lane.Take()
		if err != nil {
			return err
		}
		fmt.Println("taken", strings.Fields(string(r.Data))[0])
		if err := lane.Remove(key); err != nil {
			return err
		}
	}
}

// numbered is a text that begins with its number, and is as long as that makes
// it.
func numbered(n int) string { return fmt.Sprint(n, " ", strings.Repeat("x", n*7919%200_000)) }

// Killed at any moment, a store has all that it said it has, in order. What was
// removed may come again, what was not removed comes.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	next, firstLeft := 0, 0
	for range 12 {
		put, taken := runVictim(t, dir, next, 1+random.IntN(100))
		if taken >= 0 {
			firstLeft = taken + 1
		}
		s := testSpool(t, dir)
		wantSomething(t, s.a)
		var got []int
		for _, e := range s.a.queue {
			r, err := s.a.log.Read(e.at)
			if err != nil {
				t.Fatal(err)
			}
			n, err := strconv.Atoi(strings.Fields(string(r.Body))[0])
			if err != nil || string(r.Body) != numbered(n) {
				t.Fatalf("got %.30q: %v", r.Body, err)
			}
			got = append(got, n)
		}
		if s.log.Len() > 0 {
			t.Fatalf("got log %s, want none", &s.log)
		}
		s.close(t)
		if len(got) == 0 || got[0] > firstLeft || got[0] < firstLeft-maxRemoved {
			t.Fatalf("the first of %d is %v, want %d or up to %d before it", len(got), got[:min(1, len(got))], firstLeft, maxRemoved)
		}
		for i, n := range got {
			if n != got[0]+i {
				t.Fatalf("got %v, want no gap", got)
			}
		}
		last := got[len(got)-1]
		if last != put && last != put+1 { // that of which it could not say it any more
			t.Fatalf("the last is %d, want %d", last, put)
		}
		next = last + 1
	}
}

// runVictim kills the victim when it has said some things, at whatever it does
// then, and returns what it put and took last.
func runVictim(t *testing.T, dir string, next, lines int) (put, taken int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimDirectory+"="+dir, fmt.Sprintf("%s_NEXT=%d", victimDirectory, next))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	put, taken = next-1, -1
	note := func(line string) {
		what, number, _ := strings.Cut(line, " ")
		n, err := strconv.Atoi(number)
		switch {
		case err != nil: // cut off
		case what == "put":
			put = n
		case what == "taken":
			taken = n
		}
	}
	all := bufio.NewScanner(out)
	for range lines {
		if !all.Scan() {
			t.Fatalf("it ended: %v", cmd.Wait())
		}
		note(all.Text())
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for all.Scan() { // what it said until then
		note(all.Text())
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait() // it was killed
	return put, taken
}

// wantSomething has the store read what there is.
func wantSomething(t *testing.T, l *Lane) {
	t.Helper()
	key, _, err := l.Take()
	if err != nil || !l.Return(key) {
		t.Fatalf("got key %q and error %v, want a record", key, err)
	}
}
