package main

import (
	"context"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// timeout(1) signals its child, and then its child's process group: that is one request
// to stop, and must not cut the delivery short.
func TestStopAfter(t *testing.T) {
	for _, tc := range []struct {
		name          string
		before, after int // signals before and after observation has stopped
		delay         time.Duration
		stop, hurry   bool
	}{
		{"no signal", 0, 0, 0, false, false},
		{"one", 1, 0, 0, true, false},
		{"one, and its group's", 2, 0, 20 * time.Microsecond, true, false},
		{"five of them", 5, 0, time.Millisecond, true, false},
		{"its group's, after a quick stop", 1, 1, time.Millisecond, true, false},
		{"a second one after the stop", 1, 1, groupPause + 1, true, true},
		{"its group's, and one after the stop", 2, 1, groupPause + 1, true, true},
		{"a second one, where the stop hangs", 2, 0, stopWithin + 1, true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals, stopped := make(chan os.Signal), make(chan struct{})
				reset := false
				stop, hurry := stopAfter(signals, stopped, func() { reset = true })
				send := func(n int) {
					for range n {
						signals <- syscall.SIGTERM
						time.Sleep(tc.delay) // of the bubble
						synctest.Wait()
					}
				}
				send(tc.before)
				if tc.after > 0 {
					close(stopped)
					synctest.Wait()
				}
				send(tc.after)
				if done(stop) != tc.stop || done(hurry) != tc.hurry || reset != tc.hurry {
					t.Errorf("stop %t, hurry %t, reset %t; want %t, %t, %t", done(stop), done(hurry), reset, tc.stop, tc.hurry, tc.hurry)
				}
				for !done(hurry) { // the goroutine ends with it
					signals <- syscall.SIGTERM
					time.Sleep(stopWithin + 1)
					synctest.Wait()
				}
			})
		})
	}
}

func done(ctx context.Context) bool { return ctx.Err() != nil }
