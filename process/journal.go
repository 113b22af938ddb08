package process

import "errors"

// A journal of what was done to a Table since its snapshot can be replayed on the
// restored Table. Like a snapshot, earlier and later versions of this package can read
// it.

// ErrUnreadable is returned for bytes that were not written by the matching function.
var ErrUnreadable = errors.New("unreadable bytes")

// AppendLifetime appends a lifetime to b.
func AppendLifetime(b []byte, l *Lifetime) []byte {
	c := codec{b: b}
	c.lifetime(l)
	c.placement(l)
	return c.b
}

// ReadLifetime reads what AppendLifetime has written. The strings of l are its own.
func ReadLifetime(b []byte, l *Lifetime) error {
	*l = Lifetime{}
	c := codec{b: b, reading: true}
	c.lifetime(l)
	c.placement(l)
	return c.end()
}

// AppendLiving appends a list of running processes to b.
func AppendLiving(b []byte, all []Living) []byte {
	c := codec{b: b}
	sequence(&c, &all, c.living)
	return c.b
}

// ReadLiving reads what AppendLiving has written.
func ReadLiving(b []byte) (all []Living, err error) {
	c := codec{b: b, reading: true}
	sequence(&c, &all, c.living)
	return all, c.end()
}

// AppendIDs appends a list of processes to b.
func AppendIDs(b []byte, ids []ID) []byte {
	c := codec{b: b}
	sequence(&c, &ids, c.id)
	return c.b
}

// ReadIDs reads what AppendIDs has written.
func ReadIDs(b []byte) (ids []ID, err error) {
	c := codec{b: b, reading: true}
	sequence(&c, &ids, c.id)
	return ids, c.end()
}

// end returns an error unless the input was read to its end.
func (c *codec) end() error {
	if c.bad || len(c.b) > 0 {
		return ErrUnreadable
	}
	return nil
}
