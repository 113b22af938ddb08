// Package spool keeps records on disk, oldest first, until they are removed.
//
// In go bytes with a number of items, by [Lane.Put]; out come the same bytes, by
// [Lane.Take], also after the process was killed or the power was cut. Only the
// caller knows what a record means. Each lane is an order of its own, and has a
// log of its own; they share a directory and its limits in size and age.
//
// The rules of this room:
//
//   - When Put returns, its records are on the disk: it ends with one fsync,
//     however many records it brings.
//   - A removal is a record in the same log. Removals are written in groups, and
//     lost with the process until then: after a crash, removed records can return.
//   - There are files only while records wait. Opening a store creates its
//     directory, and a lock in one that others can open; with its last record a
//     lane removes its files.
//   - The Listener learns of every item that is found or lost. A record is checked
//     before it counts.
//   - A damaged record is counted and skipped, and the records behind it remain.
package spool
