package agent

import (
	"testing"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/process"
)

// TestRunSeesUnsampled: a user must not hide processes of a host by a variable.
func TestRunSeesUnsampled(t *testing.T) {
	unsampled := process.Remote{Context: process.SpanContext{Trace: process.TraceID{1}, Span: process.SpanID{2}}}
	yes, no := true, false
	for _, tt := range []struct {
		name       string
		configured *bool
		want       bool
	}{
		{"by default", nil, true},
		{"not honoured", &no, true},
		{"honoured", &yes, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, traces := config.Default(), config.DefaultTraces()
			c.Traces, c.TracePolicy.HonourSampled = &traces, tt.configured
			if got := policyOf(t, c).Sample(process.TraceID{1}, unsampled); got != tt.want {
				t.Errorf("sampled: %t, want %t", got, tt.want)
			}
		})
	}
}

// policyOf returns the policy of a configuration without rules.
func policyOf(t testing.TB, c config.Config) process.Policy {
	t.Helper()
	policy, err := newPolicy(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return policy
}
