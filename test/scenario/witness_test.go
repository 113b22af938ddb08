package scenario

import (
	"context"
	"os"
	"os/exec"
	"testing"
)

// openWitnesses starts both witnesses; each must be there.
func openWitnesses(t *testing.T) map[string]Witness {
	t.Helper()
	witnesses := make(map[string]Witness)
	for name, open := range map[string]func() (Witness, error){
		"proc connector": NewConnector,
		"accounting":     func() (Witness, error) { return NewAccounting(t.TempDir()) },
	} {
		w, err := open()
		if err != nil {
			need(t, err)
			t.Logf("witness is missing: %v", err)
			continue
		}
		t.Cleanup(func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
		witnesses[name] = w
	}
	return witnesses
}

func TestWitnesses(t *testing.T) {
	for name, w := range openWitnesses(t) {
		t.Run(name, func(t *testing.T) {
			if err := exec.Command(ownExe(t), "scenario").Run(); err == nil {
				t.Fatal("the scenario without a name succeeded, want exit 2")
			}
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			deaths, err := DeathsOf(ctx, w, map[int]bool{os.Getpid(): true}, 1)
			if err != nil {
				t.Fatal(err)
			}
			if d := deaths[0]; d.Status.ExitStatus() != 2 || !d.Execed {
				t.Errorf("saw %+v, want exit 2 after an exec", d)
			}
		})
	}
}
