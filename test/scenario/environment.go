package scenario

import (
	"fmt"
	"strings"

	"github.com/procspan/procspan/test/scenario/raw"
)

// environments starts a chain of programs, each started by the one before. Its
// arguments are their environments, the variables separated by spaces.
func environments(s *scene) {
	s.run(func(b *raw.Block) { s.chain(b, 0) })
}

func (s *scene) chain(b *raw.Block, i int) {
	if i == len(s.args) {
		return
	}
	l := s.life(fmt.Sprintf("process %d", i))
	l.env = strings.Fields(s.args[i])
	path := l.program(l.p.Label, func(b *raw.Block) {
		s.chain(b, i+1)
		l.leave(b, 0)
	})
	l.spawn(b, path, l.p.Label)
	l.wait(b)
}

// environment starts a program with a large environment. Arguments: one variable
// of it, how many others it has, of how many bytes each, and before how many of
// them the one stands; and how many arguments of 100 KiB the program gets.
func environment(s *scene) {
	others, size, at, args := s.count(1), s.count(2), s.count(3), s.count(4)
	l := s.life("child")
	for i := range others {
		if i == at {
			l.env = append(l.env, s.args[0])
		}
		decoy := fmt.Sprintf("TRACEPARENT_%d=", i)
		l.env = append(l.env, decoy+strings.Repeat("x", size-len(decoy)-1))
	}
	if at == others {
		l.env = append(l.env, s.args[0])
	}
	argv := []string{"child"}
	if args > 0 {
		argv = append(argv, manyArgs(args, args*100<<10)...)
	}
	path := l.program("child", func(b *raw.Block) { l.leave(b, 0) })
	s.run(func(b *raw.Block) { l.spawn(b, path, argv...) })
	l.reap()
}

// env starts a program that becomes another, as env does, with the variables
// that are the argument.
func env(s *scene) {
	l := s.life("child")
	second := l.becomes("second", func(b *raw.Block) { l.leave(b, 0) })
	second.env = strings.Fields(s.args[0])
	path := l.program("first", func(b *raw.Block) { l.reexec(b, second, "second") })
	s.run(func(b *raw.Block) { l.spawn(b, path, "first") })
	l.reap()
}
