package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"time"

	bolt "go.etcd.io/bbolt"
)

// A record's value: version, checksum of what follows, time of its Put (Unix,
// ns), number of items, data. Little-endian.
const (
	checksumAt = 1
	timeAt     = checksumAt + 4
	itemsAt    = timeAt + 8
	dataAt     = itemsAt + 4
)

// keySize is the length of a key, in bytes: a number that grows with each record
// of whatever lane. That of a record that replaces another is longer.
const keySize = 8

// valueKey is the one key in a record's bucket.
var valueKey = []byte{0}

func newKey(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }

// size is what the record counts for, in bytes.
func (r Record) size(key int) int64 { return int64(key + dataAt + len(r.Data)) }

func encode(version byte, put time.Time, r Record) []byte {
	v := make([]byte, dataAt, dataAt+len(r.Data))
	v[0] = version
	binary.LittleEndian.PutUint64(v[timeAt:], uint64(put.UnixNano()))
	binary.LittleEndian.PutUint32(v[itemsAt:], uint32(r.Items))
	v = append(v, r.Data...)
	binary.LittleEndian.PutUint32(v[checksumAt:], checksum(v))
	return v
}

func checksum(value []byte) uint32 {
	return crc32.Checksum(value[timeAt:], crc32.MakeTable(crc32.Castagnoli))
}

// stored is a record in the file, valid while its transaction is.
type stored struct {
	key, value []byte
	version    byte
	put        time.Time
	items      int
	size       int64 // what it counts for, in bytes
}

func (r *stored) number() uint64 { return binary.BigEndian.Uint64(r.key) }

func (r *stored) before(t time.Time) bool { return r.put.Before(t) }

// record returns a copy of what was put.
func (r *stored) record() (Record, error) {
	if r.key == nil {
		return Record{}, nil
	}
	// Copied first: what is checked must not change any more.
	value := append([]byte(nil), r.value...)
	if got, want := checksum(value), binary.LittleEndian.Uint32(value[checksumAt:]); got != want {
		return Record{}, &corruption{fmt.Errorf("a record has the checksum %08x, want %08x", got, want)}
	}
	return Record{Items: r.items, Data: value[dataAt:]}, nil
}

// records goes through the records of a lane's bucket, oldest first.
func records(bucket *bolt.Bucket) iter.Seq2[stored, error] {
	return func(yield func(stored, error) bool) {
		c := bucket.Cursor()
		for key, _ := c.First(); key != nil; key, _ = c.Next() {
			r, err := read(bucket, key)
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func read(bucket *bolt.Bucket, key []byte) (stored, error) {
	own := bucket.Bucket(key)
	if own == nil || len(key) < keySize {
		return stored{}, &corruption{fmt.Errorf("it has no record %x", key)}
	}
	value := own.Get(valueKey)
	if len(value) < dataAt {
		return stored{}, &corruption{fmt.Errorf("record %x has %d bytes", key, len(value))}
	}
	return stored{
		key: key, value: value, version: value[0],
		put:   time.Unix(0, int64(binary.LittleEndian.Uint64(value[timeAt:]))),
		items: int(binary.LittleEndian.Uint32(value[itemsAt:])),
		size:  int64(len(key) + len(value)),
	}, nil
}

// corruption says what is wrong with the file itself.
type corruption struct{ error }

func (e *corruption) Unwrap() error { return e.error }

func corrupt(err error) bool {
	var c *corruption
	return errors.As(err, &c)
}
