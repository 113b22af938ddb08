package scenario

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Death is the end of one process as a witness saw it.
type Death struct {
	PID, ParentPID int
	Status         unix.WaitStatus
	// Execed says that it had become another program since its fork.
	Execed bool
}

// Witness sees all processes of the machine end, by means of the kernel that
// procspan has nothing to do with. An error that is errors.ErrUnsupported says
// that this kernel has no such means.
type Witness interface {
	// Deaths returns what it has seen so far. It is an error when it knows
	// that it missed something.
	Deaths() ([]Death, error)
	// Close ends the observation.
	Close() error
}

// DeathsOf waits until a witness has seen n processes end whose parent is among
// parents, and returns all of them. The kernel writes some testimony only after
// the parent has been told.
func DeathsOf(ctx context.Context, w Witness, parents map[int]bool, n int) ([]Death, error) {
	for {
		all, err := w.Deaths()
		if err != nil {
			return nil, err
		}
		var deaths []Death
		for _, d := range all {
			if parents[d.ParentPID] {
				deaths = append(deaths, d)
			}
		}
		if len(deaths) >= n {
			return deaths, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%d of %d deaths seen: %w", len(deaths), n, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}
