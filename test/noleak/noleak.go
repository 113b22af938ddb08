// Package noleak fails tests that leave goroutines. It waits for them longer than goleak
// does, which gives up after a second: on a busy machine a goroutine that was told to end
// may not have run by then.
package noleak

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// within is how long goroutines may take to end.
const within = time.Minute

// Main runs the tests of a package and exits, with an error if goroutines are left.
func Main(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := find(within); err != nil {
			fmt.Fprintf(os.Stderr, "the tests passed and left goroutines: %v\n", err)
			code = 1
		}
	}
	os.Exit(code)
}

// Verify fails a test that has left goroutines.
func Verify(t testing.TB) {
	t.Helper()
	if err := find(within); err != nil {
		t.Error(err)
	}
}

func find(within time.Duration) (err error) {
	for end := time.Now().Add(within); ; {
		if err = goleak.Find(); err == nil || time.Now().After(end) {
			return err
		}
	}
}
