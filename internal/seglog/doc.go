// Package seglog is an append-only log of records in segment files.
//
// In go records, a head of up to 255 bytes and a body each, by [Log.Append]; out
// come the same bytes, by [Log.Read] or a [Reader]. Records are numbered without
// a gap. Old ones leave in whole segments, by [Log.Drop].
//
// The rules of this room:
//
//   - Append writes all of its records or none: if it fails, the log is as it was. A
//     process that is killed meanwhile leaves whole records. With Options.Sync they are
//     on the disk when Append returns; without, they survive the death of the process,
//     and a power cut only after Sync.
//   - A record is never returned unless it is the one that was appended there.
//     Damage costs the records that it hit and no other: their number is exact, but
//     for records at the very end whose headers are damaged.
//   - Open cuts a torn tail: bytes after the last record whose header is sound and
//     whose body has its full length.
//   - A log has one writer, which the caller ensures, for instance with
//     safedir.Dir.Lock. A reader reads what there is when it begins.
//
// A segment is called <log>-<first number>-<mark>, both in hexadecimal; the mark is
// random. It has no header of its own, so there is none to lose. A record is
//
//	mark 8 | number 8 | body length 4 | CRC of the body 4 | head length 1 | head | CRC of the header 4 | body
//
// in little-endian, with CRC-32C. The CRC of the header also covers its offset. A
// reader that finds no sound header searches for the next mark. The contents of a
// record cannot be taken for a header, because their author did not know the mark.
//
// Libraries that were considered: tidwall/wal has no checksums, and does not open
// after a torn write; etcd's and Prometheus' logs drop everything behind the first
// damaged record, and bring their servers' modules; hashicorp/raft-wal keeps its
// metadata in bbolt; nsqio/go-diskqueue has no checksums. None skips a damaged
// record in the middle.
package seglog
