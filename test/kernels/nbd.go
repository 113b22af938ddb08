package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
)

// disk is a disk with a volatile write cache: what was not flushed may be gone
// after a power cut, in any part and any order.
type disk struct {
	mu       sync.Mutex
	contents []byte // what reads return
	stable   []byte // what is left in any case
	cache    []pending
}

type pending struct {
	at   uint64
	data []byte
}

func newDisk(contents []byte) *disk {
	return &disk{contents: contents, stable: append([]byte(nil), contents...)}
}

func (d *disk) write(at uint64, data []byte) {
	copy(d.contents[at:], data)
	d.cache = append(d.cache, pending{at, data})
}

func (d *disk) flush() {
	for _, w := range d.cache {
		copy(d.stable[w.at:], w.data)
	}
	d.cache = nil
}

// cut is the power cut. Of what is in the cache, each sector reaches the disk with
// a chance that is drawn for each cut: none, all, or anything between. It returns
// how many writes were in the cache.
func (d *disk) cut(random *rand.Rand) (writes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	const sector = 512
	chance := min(1, max(0, random.Float64()*1.4-0.2))
	for _, w := range d.cache {
		for at := 0; at < len(w.data); at += sector {
			if random.Float64() < chance {
				copy(d.stable[w.at+uint64(at):], w.data[at:min(at+sector, len(w.data))])
			}
		}
	}
	writes, d.cache = len(d.cache), nil
	copy(d.contents, d.stable)
	return writes
}

// The network block device protocol, as far as QEMU needs it
// (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md).
const (
	nbdMagic, nbdOptions           = 0x4e42444d41474943, 0x49484156454f5054
	nbdFixedNewstyle, nbdNoZeroes  = 1, 2
	nbdOptionReply                 = 0x3e889045565a9
	nbdGo                          = 7
	nbdAck, nbdInfo, nbdUnknown    = 1, 3, 1<<31 + 1
	nbdHasFlags, nbdSendFlush      = 1, 4
	nbdRequest, nbdReply           = 0x25609513, 0x67446698
	nbdRead, nbdWrite, nbdDiscon   = 0, 1, 2
	nbdFlush                       = 3
	nbdOK, nbdInvalid, nbdMaxBytes = 0, 22, 64 << 20
)

// serve serves the disk to one client, until that goes away.
func (d *disk) serve(conn net.Conn) error {
	defer conn.Close()
	err := d.handshake(conn)
	for err == nil {
		err = d.request(conn)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("serve the disk: %w", err)
}

func put(conn io.Writer, values ...any) error {
	for _, v := range values {
		if err := binary.Write(conn, binary.BigEndian, v); err != nil {
			return err
		}
	}
	return nil
}

func (d *disk) handshake(conn net.Conn) error {
	if err := put(conn, uint64(nbdMagic), uint64(nbdOptions), uint16(nbdFixedNewstyle|nbdNoZeroes)); err != nil {
		return err
	}
	var clientFlags uint32
	if err := binary.Read(conn, binary.BigEndian, &clientFlags); err != nil {
		return err
	}
	for {
		var o struct {
			Magic          uint64
			Option, Length uint32
		}
		if err := binary.Read(conn, binary.BigEndian, &o); err != nil {
			return err
		}
		if o.Magic != nbdOptions || o.Length > 4096 {
			return fmt.Errorf("got an option with magic %#x and %d bytes", o.Magic, o.Length)
		}
		if _, err := io.CopyN(io.Discard, conn, int64(o.Length)); err != nil {
			return err
		}
		if o.Option == nbdGo {
			return put(conn,
				uint64(nbdOptionReply), o.Option, uint32(nbdInfo), uint32(12), uint16(0), uint64(len(d.contents)), uint16(nbdHasFlags|nbdSendFlush),
				uint64(nbdOptionReply), o.Option, uint32(nbdAck), uint32(0))
		}
		if err := put(conn, uint64(nbdOptionReply), o.Option, uint32(nbdUnknown), uint32(0)); err != nil {
			return err
		}
	}
}

func (d *disk) request(conn net.Conn) error {
	var r struct {
		Magic          uint32
		Flags, Type    uint16
		Cookie, Offset uint64
		Length         uint32
	}
	if err := binary.Read(conn, binary.BigEndian, &r); err != nil {
		return err
	}
	if r.Magic != nbdRequest || r.Length > nbdMaxBytes {
		return fmt.Errorf("got a request with magic %#x and %d bytes", r.Magic, r.Length)
	}
	var data []byte
	if r.Type == nbdWrite {
		data = make([]byte, r.Length)
		if _, err := io.ReadFull(conn, data); err != nil {
			return err
		}
	}
	if r.Type == nbdDiscon {
		return io.EOF
	}
	status, answer := d.do(r.Type, r.Offset, r.Length, data)
	return put(conn, uint32(nbdReply), uint32(status), r.Cookie, answer)
}

func (d *disk) do(kind uint16, at uint64, length uint32, data []byte) (status int, answer []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	size := uint64(len(d.contents))
	switch {
	case at > size || uint64(length) > size-at:
		return nbdInvalid, nil
	case kind == nbdRead:
		answer = append(answer, d.contents[at:at+uint64(length)]...)
	case kind == nbdWrite:
		d.write(at, data)
	case kind == nbdFlush:
		d.flush()
	default:
		return nbdInvalid, nil
	}
	return nbdOK, answer
}
