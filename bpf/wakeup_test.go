package bpf

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
)

// A filling ring wakes a sleeping reader before it overflows.
func TestWatermarkWakes(t *testing.T) {
	tr := tracer(t, Options{RingSize: 256 << 10, OnlyDescendants: true})
	path := exiter(t)
	filled := make(chan error, 1)
	go func() {
		for range 300 { // some 600 bytes each, three quarters of the ring
			if err := exec.Command(path).Run(); err != nil {
				filled <- err
				return
			}
		}
		filled <- nil
	}()
	// A reader that would sleep much longer than it takes to fill the ring.
	var ev process.Event
	begin := time.Now()
	if err := tr.Read(begin.Add(10*time.Minute), &ev); err != nil {
		t.Fatal(err)
	}
	if slept := time.Since(begin); slept > 5*time.Minute {
		t.Errorf("the reader was woken after %s", slept)
	}
	if err := <-filled; err != nil {
		t.Fatal(err)
	}
	if n := lost(t, tr, "exec: ring buffer full"); n > 0 {
		t.Errorf("%d execs were lost", n)
	}
}

// Above the watermark the reader is woken once for each position that it has read up
// to, however far above: no burst of records, of however many CPUs, jumps over it.
func TestWakeupAboveTheWatermark(t *testing.T) {
	const size = 256 << 10
	tr := tracer(t, Options{RingSize: size, OnlyDescendants: true})
	wakeups, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	must(t, err)
	defer unix.Close(wakeups)
	must(t, unix.EpollCtl(wakeups, unix.EPOLL_CTL_ADD, tr.objects.Events.FD(), &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET}))
	woken := func() bool {
		var events [1]unix.EpollEvent
		n, err := unix.EpollWait(wakeups, events[:], 0)
		for errors.Is(err, unix.EINTR) {
			n, err = unix.EpollWait(wakeups, events[:], 0)
		}
		must(t, err)
		return n > 0
	}
	path := exiter(t)
	run := func() { must(t, exec.Command(path).Run()) }
	fill := func(share uintptr) {
		t.Helper()
		for tr.Written()-tr.Position() < uint64(size*share/8) {
			run()
		}
	}
	fill(1)
	woken() // what the file begins with
	run()
	if woken() {
		t.Error("woken below the watermark")
	}
	fill(7)
	if !woken() {
		t.Error("not woken at the watermark")
	}
	for range 3 {
		run()
		if woken() {
			t.Error("woken again although nothing was read")
		}
		_, _ = tr.ring.record()
		tr.ring.commit()
		run()
		if !woken() {
			t.Error("not woken after something was read, far above the watermark")
		}
	}
}

// Parallel writers of large records wake the reader, and lose nothing. They wait when
// more is unread than twice what must wake it.
func TestParallelWriters(t *testing.T) {
	const (
		ringSize = 4 << 20 // a quarter of it are 80 records
		unread   = 200     // at most: they fit, however late the reader runs
		execs    = 100
	)
	tr := tracer(t, Options{RingSize: ringSize, OnlyDescendants: true, Variables: []string{"A"}})
	writers := 2 * runtime.NumCPU()
	arg, variable := strings.Repeat("a", 4000), "A="+strings.Repeat("b", 8000)
	path := exiter(t)
	room := make(chan struct{}, unread)
	var running sync.WaitGroup
	for range writers {
		running.Go(func() {
			for range execs {
				room <- struct{}{}
				child, err := os.StartProcess(path, []string{"prog", arg}, &os.ProcAttr{Env: []string{variable}})
				if err == nil {
					_, err = child.Wait()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	over := make(chan struct{})
	go func() {
		running.Wait()
		close(over)
		tr.Interrupt()
	}()
	seen := 0
	for {
		var ev process.Event
		err := tr.Read(time.Now().Add(time.Minute), &ev)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			select {
			case <-over:
			default:
				t.Fatalf("the reader slept for a minute above the watermark: %d execs of %d were read", seen, writers*execs)
			}
			break
		}
		must(t, err)
		if ev.Kind == process.Exec {
			seen++
			<-room
		}
	}
	if n := lost(t, tr, "exec: ring buffer full"); n > 0 || seen != writers*execs {
		t.Errorf("%d execs of %d were read, %d were lost", seen, writers*execs, n)
	}
}
