package agent

import "testing"

func TestCountCPUs(t *testing.T) {
	for list, want := range map[string]int{"0": 1, "0-1": 2, "0-3,8": 5, "0,2-5,64-127": 69, "": 0, "x": 0, "3-1": 0, "0-": 0} {
		if got := countCPUs(list); got != want {
			t.Errorf("countCPUs(%q) = %d, want %d", list, got, want)
		}
	}
	if onlineCPUs() < 1 {
		t.Error("no CPU is online")
	}
}
