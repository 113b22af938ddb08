package catalogue

import (
	"slices"
	"testing"
)

func TestSelect(t *testing.T) {
	has := func(s Set) (names []string) {
		for id, a := range All() {
			if s[id] && !a.Requested() {
				names = append(names, a.Name)
			}
		}
		return names
	}
	all := has(Select("full"))
	if want := Names()[3:]; !slices.Equal(all, want) {
		t.Errorf("full lacks some of %q: %q", want, all)
	}
	minimal, byDefault := has(Select("minimal")), has(Select("default"))
	for _, name := range minimal {
		if !slices.Contains(byDefault, name) {
			t.Errorf("minimal has %s, default has not", name)
		}
	}
	if len(minimal) >= len(byDefault) || len(byDefault) >= len(all) {
		t.Errorf("got %d, %d and %d attributes", len(minimal), len(byDefault), len(all))
	}
	const more = "procspan.namespace.pid"
	if got := has(Select("minimal", more)); len(got) != len(minimal)+1 || !slices.Contains(got, more) {
		t.Errorf("minimal and %s: got %q", more, got)
	}
	if got := has(Select("process.pid", "unknown")); !slices.Equal(got, []string{"process.pid"}) {
		t.Errorf("one name: got %q", got)
	}
	for id, a := range All() {
		if a.Name == "" || a.Requested() && !Select()[id] {
			t.Errorf("%d: %q is not in the empty selection", id, a.Name)
		}
	}
}
