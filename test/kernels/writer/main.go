// Command writer is the init process of the guest whose power is cut. It checks
// that what its disk was said to hold is there, and then writes to it until it
// ends, and prints what is durable:
//
//	DURABLE sync 12-57     records 12 to 57 of the log that syncs each Append
//	DURABLE lazy 1-30      of the log that is synced now and then
//	DURABLE spool 4-9      what is in the spool
//
// It is told the same by its arguments (sync=12-57).
package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/internal/safedir"
	"github.com/procspan/procspan/internal/seglog"
	"github.com/procspan/procspan/otelexport/spool"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Println("FAILED", err)
	}
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("FAILED to power off:", err)
	}
	select {} // init must not end
}

func run(args []string) error {
	told := map[string]string{}
	for _, arg := range args {
		what, value, _ := strings.Cut(arg, "=")
		told[what] = value
	}
	fmt.Println() // what the firmware printed has no end of line
	if err := mount("data=" + told["data"]); err != nil {
		return err
	}
	dir, err := safedir.Open("/disk/log")
	if err != nil {
		return err
	}
	logs := []*log{{name: "sync", every: 1, lies: told["lie"] == "true"}, {name: "lazy", every: 10}}
	for _, l := range logs {
		if err := l.open(dir, told[l.name]); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	s := &store{}
	if err := s.open(told["spool"]); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	fmt.Println("CHECKED")
	writers := []interface{ write() error }{logs[0], logs[1], s}
	if told["write"] == "lazily" { // nobody else has the disk flush its cache
		writers = writers[1:2]
		logs[1].every = 300
	}
	for told["write"] != "nothing" {
		for _, w := range writers {
			if err := w.write(); err != nil {
				return err
			}
		}
	}
	return nil
}

// mount loads the driver of the disk and mounts it.
func mount(data string) error {
	if err := unix.Mount("dev", "/dev", "devtmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount /dev: %w", err)
	}
	module, err := os.Open("/virtio_blk.ko.xz")
	if err != nil {
		return err
	}
	defer module.Close()
	const compressed = 4 // MODULE_INIT_COMPRESSED_FILE
	if err := unix.FinitModule(int(module.Fd()), "", compressed); err != nil {
		return fmt.Errorf("load the driver: %w", err)
	}
	// What is not synced is written soon, so that it is in the disk's cache.
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	for _, name := range []string{"dirty_writeback_centisecs", "dirty_expire_centisecs"} {
		if err := os.WriteFile("/proc/sys/vm/"+name, []byte("5"), 0o644); err != nil {
			return err
		}
	}
	if err := unix.Mount("/dev/vda", "/disk", "ext4", 0, data); err != nil {
		return fmt.Errorf("mount the disk: %w", err)
	}
	return nil
}

// durable prints what is on the disk from now on.
func durable(what string, first, last uint64) { fmt.Printf("DURABLE %s %d-%d\n", what, first, last) }

// parse returns what durable printed: first is more than last if that is nothing.
func parse(s string) (first, last uint64, err error) {
	if s == "" {
		return 1, 0, nil
	}
	_, err = fmt.Sscanf(s, "%d-%d", &first, &last)
	return first, last, err
}

// text is what record n holds, up to 30 KB.
func text(n uint64) []byte {
	return fmt.Append(nil, n, " ", strings.Repeat(fmt.Sprint(n, "."), int(n*7919%5000)))
}

// log is a log and what is known of it.
type log struct {
	name    string
	every   int  // Append it is synced
	lies    bool // it is not
	appends int
	first   uint64
	*seglog.Log
}

// open checks the log, and begins it anew.
func (l *log) open(dir *safedir.Dir, told string) error {
	first, last, err := parse(told)
	if err != nil {
		return err
	}
	r := seglog.NewReader(dir, l.name)
	defer r.Close()
	next := first
	for {
		at, head, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		body, err := r.Body()
		known := at.Number >= first && at.Number <= last
		if err != nil && known || known && at.Number != next {
			return fmt.Errorf("record %d of %d-%d is missing (%v)", next, first, last, err)
		}
		if err == nil && (string(body) != string(text(at.Number)) || string(head) != fmt.Sprint(at.Number)) {
			return fmt.Errorf("record %d is not what was appended", at.Number)
		}
		if known {
			next++
		}
	}
	if next <= last {
		return fmt.Errorf("record %d of %d-%d is missing", next, first, last)
	}
	l.Log, err = seglog.Open(seglog.Options{Dir: dir, Log: l.name, SegmentSize: 200_000, Sync: l.every == 1 && !l.lies})
	if err != nil {
		return err
	}
	l.first = l.Next()
	durable(l.name, l.first, l.first-1)
	return l.Drop(l.first)
}

func (l *log) write() error {
	var records []seglog.Record
	for i := range 1 + rand.Uint64N(4) {
		n := l.Next() + i
		records = append(records, seglog.Record{Head: fmt.Append(nil, n), Body: text(n)})
	}
	if _, err := l.Append(records...); err != nil {
		return err
	}
	if l.appends++; l.appends%l.every > 0 {
		return nil
	}
	if l.every > 1 {
		if err := l.Sync(); err != nil {
			return err
		}
	}
	durable(l.name, l.first, l.Next()-1)
	if l.Size() < 4_000_000 {
		return nil
	}
	l.first = l.Next() - 10
	durable(l.name, l.first, l.Next()-1)
	return l.Drop(l.first)
}

// store is a spool and what is known of it.
type store struct {
	lane        *spool.Lane
	first, next uint64 // of what is in it
}

func (s *store) open(told string) error {
	first, last, err := parse(told)
	if err != nil {
		return err
	}
	opened, err := spool.Open(spool.Options{
		Directory: "/disk/spool", MaxSize: 16 << 20, MaxAge: 1000 * time.Hour, Version: 1, Log: slog.New(slog.NewTextHandler(os.Stdout, nil)),
	})
	if err != nil {
		return err
	}
	s.lane = opened.Lane("spans", listener{})
	s.next = last + 1
	for next := first; ; {
		key, r, err := s.lane.Take()
		if err != nil {
			return err
		}
		if key == "" {
			if next <= last {
				return fmt.Errorf("record %d of %d-%d is missing", next, first, last)
			}
			s.first = s.next
			durable("spool", s.first, s.next-1)
			return nil
		}
		var n uint64
		if _, err := fmt.Sscan(string(r.Data), &n); err != nil || string(r.Data) != string(text(n)) {
			return fmt.Errorf("record %d is not what was put", n)
		}
		if n >= next && n <= last { // others were removed, or not yet acknowledged
			if n != next {
				return fmt.Errorf("record %d of %d-%d is missing", next, first, last)
			}
			next++
		}
		s.next = max(s.next, n+1)
		if err := s.lane.Remove(key); err != nil {
			return err
		}
	}
}

func (s *store) write() error {
	if err := s.lane.Put(spool.Record{Items: 1, Data: text(s.next)}); err != nil {
		return err
	}
	s.next++
	if s.next-s.first > 50 || rand.IntN(2) == 0 {
		key, _, err := s.lane.Take()
		if err != nil {
			return err
		}
		// From now on it may be gone.
		durable("spool", s.first+1, s.next-1)
		s.first++
		return s.lane.Remove(key)
	}
	durable("spool", s.first, s.next-1)
	return nil
}

// listener takes what an earlier guest stored for granted.
type listener struct{}

func (listener) Found(int)            {}
func (listener) Lost(int, spool.Loss) {}
