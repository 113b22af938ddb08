package spool

import (
	"fmt"
	"runtime/debug"
)

// fault is a panic or a memory fault in bbolt. Both come of pages that are not
// what they should be, or of a mapped file that has become shorter.
type fault struct{ what any }

func (f *fault) Error() string { return fmt.Sprintf("reading it failed: %v", f.what) }

// guard runs f, and returns its panic, or access to memory that is not there, as
// a corruption.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if what := recover(); what != nil {
			err = &corruption{&fault{what}}
		}
	}()
	return f()
}
