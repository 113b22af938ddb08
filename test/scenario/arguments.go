package scenario

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/test/scenario/raw"
)

// withArgs executes a program with the arguments given.
func withArgs(argv ...string) func(*scene) {
	return func(s *scene) {
		l := s.life("child")
		path := l.program("args", func(b *raw.Block) { l.park(b); l.leave(b, 0) })
		s.run(func(b *raw.Block) { l.spawn(b, path, argv...) })
		l.finish()
	}
}

// manyArgs is n arguments of size bytes in all, with their terminators.
func manyArgs(n, size int) []string {
	args := make([]string, n)
	for i := range args {
		args[i] = fmt.Sprintf("%d:", i)
		args[i] += strings.Repeat("x", size/n-len(args[i])-1)
	}
	return args
}

// withoutArgs executes a program with no arguments at all, not even a name.
func withoutArgs(s *scene) {
	l := s.life("child")
	path := l.program("nameless", func(b *raw.Block) { l.park(b); l.leave(b, 0) })
	s.run(func(b *raw.Block) {
		l.fork(b, func(c *raw.Block) {
			l.beforeExec(c)
			c.Must("execve", unix.SYS_EXECVE, c.Bytes(path), raw.N(0), raw.N(0))
		})
	})
	l.finish()
}
