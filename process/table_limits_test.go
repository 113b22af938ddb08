package process

import (
	"slices"
	"strings"
	"testing"
)

func TestTableLimits(t *testing.T) {
	for _, tc := range []struct {
		name    string
		limits  Limits
		tell    func(s *story)
		living  []string
		evicted uint64
		want    []string
	}{
		{
			"as many processes as the limit", Limits{3, 1 << 20}, func(s *story) {
				s.run("init", "a")
				s.run("init", "b")
				s.run("init", "c")
			},
			[]string{"a", "b", "c"}, 0, []string{},
		},
		{
			"the oldest goes first", Limits{3, 1 << 20}, func(s *story) {
				s.run("init", "a")
				s.run("init", "b")
				s.run("init", "c")
				s.run("init", "d")
				s.run("init", "e")
			},
			[]string{"c", "d", "e"}, 2, []string{},
		},
		{
			"an exec does not make a process younger", Limits{2, 1 << 20}, func(s *story) {
				s.run("init", "a")
				s.run("init", "b")
				s.exec("a")
				s.fork("init", "c")
			},
			[]string{"b", "c"}, 1, []string{},
		},
		{
			"an exit makes room", Limits{2, 1 << 20}, func(s *story) {
				s.run("init", "a")
				s.run("init", "b")
				s.exit("a")
				s.run("init", "c")
			},
			[]string{"b", "c"}, 0, []string{"a under - in a"},
		},
		{
			"a forgotten process still has a lifetime", Limits{2, 1 << 20}, func(s *story) {
				s.run("init", "a")
				s.run("init", "b")
				s.run("init", "c")
				s.exit("a", "b", "c")
			},
			[]string{}, 1, []string{"a under - in a, start estimated", "b under - in b", "c under - in c"},
		},
		{
			"a forgotten process without exec has none", Limits{2, 1 << 20}, func(s *story) {
				s.fork("init", "a")
				s.run("init", "b")
				s.run("init", "c")
				s.exit("a")
			},
			[]string{"b", "c"}, 1, []string{},
		},
		{
			"a child has no parent when that is forgotten", Limits{2, 1 << 20}, func(s *story) {
				s.run("init", "a")
				s.run("a", "b")
				s.run("init", "c")
				s.exit("b")
			},
			[]string{"c"}, 1, []string{"b under - in a"},
		},
		{
			"a forgotten process is no parent", Limits{2, 1 << 20}, func(s *story) {
				s.run("init", "a")
				s.run("init", "b")
				s.run("a", "c")
				s.run("a", "d")
				s.exit("d")
			},
			[]string{"c"}, 2, []string{"d under - in d"},
		},
		{
			"adopted processes count", Limits{2, 1 << 20}, func(s *story) {
				s.lose(func() { s.run("init", "a"); s.run("init", "b"); s.run("init", "c") })
				s.adopt("a", "b", "c")
			},
			[]string{"b", "c"}, 1, []string{},
		},
		{
			"no room at all", Limits{}, func(s *story) {
				s.run("init", "a")
				s.run("a", "b")
				s.exit("b", "a")
			},
			[]string{}, 4, []string{"b under - in b, start estimated", "a under - in a, start estimated"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStory(t, tc.limits)
			tc.tell(s)
			living := []string{}
			for e := s.table.order.newer; e != &s.table.order; e = e.newer {
				living = append(living, s.name(e.id))
			}
			if !slices.Equal(living, tc.living) {
				t.Errorf("kept %v, want %v", living, tc.living)
			}
			if got := s.lines(); !slices.Equal(got, tc.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(tc.want, "\n\t"))
			}
			if got := s.table.Stats().Evicted; got != tc.evicted {
				t.Errorf("%d evicted, want %d", got, tc.evicted)
			}
		})
	}
}
