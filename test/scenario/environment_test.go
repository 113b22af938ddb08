package scenario

import (
	"maps"
	"strings"
	"testing"

	"github.com/procspan/procspan/config"
)

// TestEnvironment holds that spans have the environment variables that were asked
// for, without what looks like a secret, and no others.
func TestEnvironment(t *testing.T) {
	o := observe(t, func(c *config.Config) {
		c.Capture.Environment = []string{"LANG", "EMPTY", "API_TOKEN", "PROXY", "UNSET", "SET_LATER"}
	})
	spans := o.traced(t, traced{
		scenario: "environments", args: []string{
			"LANG=C.UTF-8 EMPTY= API_TOKEN=hunter2 PROXY=http://user:hunter2@proxy:80/ OTHER=x LANG=second LANGUAGE=de",
			"SET_LATER=yes PWD=/",
		},
		want: begin + `
			1 process 0 under scenario
			1 process 1 under process 0`,
	})
	const prefix = "process.environment_variable."
	for label, want := range map[string]map[string]any{
		"process 0": {"LANG": "C.UTF-8", "EMPTY": "", "API_TOKEN": "<redacted>", "PROXY": "http://user:<redacted>@proxy:80/"},
		"process 1": {"SET_LATER": "yes"},
	} {
		got := make(map[string]any)
		for _, kv := range spans[label].GetAttributes() {
			if name, ok := strings.CutPrefix(kv.Key, prefix); ok {
				got[name] = goValue(kv.Value)
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s has %v, want %v", label, got, want)
		}
	}
}
