package scenario

import (
	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/test/scenario/raw"
)

// credentials starts a program as another user and group, real and effective.
// An exec makes the saved ones the effective ones.
func credentials(s *scene) {
	l := s.life("child")
	path := l.program("other", func(b *raw.Block) { l.park(b); l.leave(b, 0) })
	s.run(func(b *raw.Block) {
		l.fork(b, func(c *raw.Block) {
			become(c, 11, 12, 13)
			l.exec(c, path, "other")
		})
	})
	l.finish()
}

// changeOfUser becomes another user and group between two execs, and is another
// effective one after the second.
func changeOfUser(s *scene) {
	l := s.life("child")
	second := l.becomes("second", func(b *raw.Block) {
		l.park(b)
		b.Must("setresuid", unix.SYS_SETRESUID, raw.N(22), raw.N(21), raw.N(21))
		l.leave(b, 0)
	})
	first := l.program("first", func(b *raw.Block) {
		become(b, 21, 22, 23)
		l.reexec(b, second, "second")
	})
	s.run(func(b *raw.Block) { l.spawn(b, first, "first") })
	l.finish()
}

// become sets the user ids, and ten times these as the group ids.
func become(b *raw.Block, real, effective, saved int) {
	b.Must("setresgid", unix.SYS_SETRESGID, raw.N(10*real), raw.N(10*effective), raw.N(10*saved))
	b.Must("setresuid", unix.SYS_SETRESUID, raw.N(real), raw.N(effective), raw.N(saved))
}
