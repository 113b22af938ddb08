package config

import (
	"testing"

	"github.com/procspan/procspan/process"
)

func TestExpects(t *testing.T) {
	e := DefaultExpectedExits()
	e["tool"] = Exits{3 << 8, 143 << 8, 15, 6}
	e["shell"] = Exits{129 << 8}
	e["grep"] = nil
	const core = 0x80
	for _, tt := range []struct {
		name string
		end  process.Status
		want bool
	}{
		{"diff", 1 << 8, true},
		{"diff", 2 << 8, false},
		{"getent", 2 << 8, true},
		{"grep", 1 << 8, false}, // the default was taken away
		{"grep", 13, true},
		{"", 13, true},
		{"anything", 13, true},
		{"anything", 13 | core, true},
		{"anything", 141 << 8, false},
		{"anything", 15, false},
		{"tool", 3 << 8, true},
		{"tool", 3, false},
		{"tool", 15, true},
		{"tool", 143 << 8, true},
		{"tool", 6 | core, true},
		{"tool", 134 << 8, false},
		{"shell", 129 << 8, true},
		{"shell", 1, true},   // SIGHUP has exit code 129 too
		{"*", 1 << 8, false}, // a program of that name is one like any
		{"/bin/diff", 1 << 8, false},
		{"diff", 0, false},
	} {
		if got := e.Expects(tt.name, tt.end); got != tt.want {
			t.Errorf("Expects(%q, %#x) = %t, want %t", tt.name, int32(tt.end), got, tt.want)
		}
	}
	if (ExpectedExits)(nil).Expects("grep", 1<<8) {
		t.Error("nil expects something")
	}
}
