// Package spool keeps records on disk, oldest first, until they are removed.
//
// In go bytes with a number of items, by [Lane.Put]; out come the same bytes, by
// [Lane.Take], also after the program was killed or the power was cut. What a
// record means, the caller alone knows. Each lane is an order of its own; all
// share one file, its bounds in size and age, and the lock on its directory.
//
// The rules of this room:
//
//   - A record that Put has returned for is on the disk: a transaction ends with
//     fsync, and a call is one transaction, however many records it brings.
//   - A removal may be made good later, together with others: after a crash, some
//     records that were removed can come again. Whoever takes them must not mind.
//   - There is a file only while something waits in it. Opening a store creates
//     its directory and nothing else; with the last record the file goes.
//   - All that is given up, or was found, is told to the lane's Listener, when it
//     is certain. What the disk holds counts, not what was meant to be there.
//   - A file that is not what this package wrote is set aside under another name
//     and a new one begun, whatever is wrong with it: check reads its structure
//     before bbolt does, each record has a checksum, and a fault or panic in
//     bbolt ends with the file set aside, not with the program.
package spool
