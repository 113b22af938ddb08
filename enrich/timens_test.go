package enrich

import (
	"errors"
	"testing"
	"time"

	"github.com/procspan/procspan/process"
)

// In a time namespace, the start times in /proc are shifted.
func TestImageInATimeNamespace(t *testing.T) {
	proc := procfs(t, statLine("ls", 8_640_000+4711), "A=1\x00")
	id := process.ID{PID: 7, Start: 4711 * clockTick}
	if _, err := proc.Image(id, 10, nil); !errors.Is(err, ErrGone) {
		t.Errorf("not shifted: error %v, want %v", err, ErrGone)
	}
	proc.shift = 24 * time.Hour
	if got, err := proc.Image(id, 10, nil); err != nil || got.WorkingDirectory != "/srv" {
		t.Errorf("shifted: got %+v, %v", got, err)
	}
}
