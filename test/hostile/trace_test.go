package hostile

import (
	"encoding/hex"
	"fmt"
	"os/exec"
	"testing"
)

// A process says in its environment that it is not sampled: it has its span all
// the same, and so have its descendants.
func TestNotSampledIsSeen(t *testing.T) {
	requireRoot(t)
	dir := stage(t)
	a := startAgent(t, dir, "", "")
	cmd := asNobody("sh", "-c", "/bin/true; echo $$")
	cmd.Env = append(cmd.Env, "TRACEPARENT=00-00000000000000000000000000abcdef-00000000000abcde-00")
	top := a.span(cmd)
	children := 0
	for _, s := range a.sink.OfTrace(top.Trace()) {
		if s.Parent() == top.ID() {
			children++
		}
	}
	if children != 1 {
		t.Errorf("%d children of the shell have a span, want 1", children)
	}
	a.check()
}

// A user joins the trace of another with the flag "not sampled", and first: the
// other's job is exported all the same, where such flags are honoured.
func TestJoinsForeignTrace(t *testing.T) {
	requireRoot(t)
	dir := stage(t)
	a := startAgent(t, dir, "traces: {honour_sampled: true}", "")
	const parent = "TRACEPARENT=00-%s-00000000000abcde-%s"
	const trace = "00000000000000000000000000abcdef"
	attacker := asNobody("/bin/true")
	attacker.Env = append(attacker.Env, fmt.Sprintf(parent, trace, "00"))
	if err := attacker.Run(); err != nil {
		t.Fatal(err)
	}
	job := exec.Command("/bin/true")
	job.Env = []string{fmt.Sprintf(parent, trace, "01")}
	if got := hex.EncodeToString([]byte(a.span(job).Trace())); got != trace {
		t.Errorf("the job is in trace %s, want %s", got, trace)
	}
	a.check()
}
