package hostile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Who makes the pin directory first, where everybody may, gets no agent to use it.
func TestForeignPinDirectory(t *testing.T) {
	requireRoot(t)
	dir := stage(t)
	if err := mountBPF(t, filepath.Join(dir, "bpf")); err != nil {
		t.Fatal(err)
	}
	pins := filepath.Join(dir, "bpf", "procspan")
	if out, err := asNobody("mkdir", pins).CombinedOutput(); err != nil {
		t.Fatalf("mkdir: %v\n%s", err, out)
	}
	config := filepath.Join(dir, "procspan.yaml")
	put(t, config, fmt.Sprintf(`file_format: "1.0"
tracer_provider: {processors: [{batch: {exporter: {otlp_grpc: {endpoint: "http://127.0.0.1:4317"}}}}]}
distribution: {procspan: {delivery: {directory: %q}, daemon: {persist: true, pin_directory: %q, state_directory: %q}}}
`, filepath.Join(dir, "store"), pins, filepath.Join(dir, "state")), 0o644)
	cmd := exec.Command("timeout", "--signal=INT", "20", filepath.Join(dir, "procspan"), "run", "--config", config)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), pins) || !strings.Contains(string(out), "belongs to user 65534") {
		t.Errorf("the agent ends with %v, want an error that names the owner of %s:\n%s", err, pins, out)
	}
	if entries, err := os.ReadDir(pins); err != nil || len(entries) > 0 {
		t.Errorf("there are %v in the attacker's directory, %v", entries, err)
	}
}
