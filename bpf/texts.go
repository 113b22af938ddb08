package bpf

import "hash/maphash"

// texts interns strings. Paths and task names recur: interned, they cost no
// allocation and are held once, however many processes run. It is a direct-mapped
// cache: a new string evicts the previous one in its slot.
type texts struct {
	seed  maphash.Seed
	known *[4096]string
}

// maxText is the length of the longest interned string, in bytes: longer ones rarely
// recur. It bounds the cache to 2 MiB.
const maxText = 512

func newTexts() texts {
	return texts{maphash.MakeSeed(), new([4096]string)}
}

// of returns b as a string.
func (t *texts) of(b []byte) string {
	if len(b) == 0 || len(b) > maxText {
		return string(b)
	}
	slot := &t.known[maphash.Bytes(t.seed, b)%uint64(len(t.known))]
	if *slot != string(b) {
		*slot = string(b)
	}
	return *slot
}
