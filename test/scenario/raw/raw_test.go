package raw

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// One test, because the shared memory has one place.
func TestSteps(t *testing.T) {
	shared, err := Share()
	if err != nil {
		t.Fatal(err)
	}
	defer shared.Close()
	block := func(t *testing.T) *Block {
		b, err := New(64 << 10)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Free() })
		return b
	}
	program := func(t *testing.T, body func(*Block)) string {
		path := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(path, ELF(body), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// child runs body in a fork and returns its wait status.
	child := func(t *testing.T, body func(*Block)) unix.WaitStatus {
		pid, status := shared.Cells(1), shared.Cells(1)
		b := block(t)
		b.Fork(pid, body)
		b.Wait(pid, status)
		b.Run()
		return unix.WaitStatus(status.Get())
	}

	t.Run("fork", func(t *testing.T) {
		if ws := child(t, func(c *Block) { c.ExitGroup(7) }); ws.ExitStatus() != 7 {
			t.Errorf("status %#x, want exit 7", ws)
		}
	})
	t.Run("vfork shares memory", func(t *testing.T) {
		b, pid, sum, status := block(t), shared.Cells(1), shared.Cells(1), shared.Cells(1)
		b.Vfork(pid, func(c *Block) { c.Meet(sum, 1); c.ExitGroup(3) })
		b.Wait(pid, status)
		b.Run()
		if sum.Get() != 1 || unix.WaitStatus(status.Get()).ExitStatus() != 3 {
			t.Errorf("cell %d, status %#x, want 1 and exit 3", sum.Get(), status.Get())
		}
	})
	t.Run("program with threads", func(t *testing.T) {
		first, second, meet := shared.Cells(1), shared.Cells(1), shared.Cells(1)
		path := program(t, func(b *Block) {
			b.Thread(first, func(c *Block) { c.Meet(meet, 3); c.Exit(1) })
			b.Thread(second, func(c *Block) { c.Meet(meet, 3); c.Nap(5); c.ExitGroup(9) })
			b.Meet(meet, 3)
			b.Exit(2)
		})
		ws := child(t, func(c *Block) { c.Exec(path, []string{"program"}, nil) })
		if ws.ExitStatus() != 9 || first.Get() <= 0 || second.Get() <= first.Get() {
			t.Errorf("status %#x, threads %d and %d, want exit 9", ws, first.Get(), second.Get())
		}
	})
	t.Run("fault", func(t *testing.T) {
		path := program(t, func(b *Block) { b.Fault() })
		if ws := child(t, func(c *Block) { c.Exec(path, nil, nil) }); ws.Signal() != unix.SIGSEGV {
			t.Errorf("status %#x, want SIGSEGV", ws)
		}
	})
	t.Run("failed step", func(t *testing.T) {
		if ws := child(t, func(c *Block) { c.Exec("/nonexistent", nil, nil) }); ws.ExitStatus() != StatusBroken {
			t.Errorf("status %#x, want exit %d", ws, StatusBroken)
		}
	})
	t.Run("gate and clock", func(t *testing.T) {
		b, pid, status := block(t), shared.Cells(1), shared.Cells(1)
		ready, open, clock := shared.Cells(1), shared.Cells(1), shared.Cells(2)
		path := program(t, func(b *Block) { b.Open(ready); b.Await(open); b.Clock(clock); b.ExitGroup(0) })
		b.Fork(pid, func(c *Block) { c.Exec(path, nil, nil) })
		b.Run()
		if err := ready.Await(time.Minute); err != nil {
			t.Fatal(err)
		}
		before := time.Now()
		open.Open()
		w := block(t)
		w.Wait(pid, status)
		w.Run()
		if got := time.Unix(0, clock.Time()); got.Before(before.Round(0)) || got.After(time.Now()) {
			t.Errorf("clock %v, want after %v", got, before)
		}
	})
}
