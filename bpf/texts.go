package bpf

import "hash/maphash"

// texts makes strings of bytes, and gives those that come again and again, as
// paths and task names do, the same memory: they cost no allocation then, and
// are held once however many processes live. It forgets what others push out of
// its place.
type texts struct {
	seed  maphash.Seed
	known *[4096]string
}

// maxText in bytes: longer texts seldom come again. It bounds what is held to
// 2 MiB.
const maxText = 512

func newTexts() texts {
	return texts{maphash.MakeSeed(), new([4096]string)}
}

// of returns b as a string.
func (t *texts) of(b []byte) string {
	if len(b) == 0 || len(b) > maxText {
		return string(b)
	}
	place := &t.known[maphash.Bytes(t.seed, b)%uint64(len(t.known))]
	if *place != string(b) {
		*place = string(b)
	}
	return *place
}
