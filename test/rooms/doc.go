// Package rooms holds the shape of the module: which package may import which,
// where a dependency may stand, and how long a file may be. It has tests only.
//
// What a room knows, and no other room does, stands in ARCHITECTURE.md. A new
// package needs a row in arrows; a new dependency that belongs to one room needs
// a row in borders.
package rooms
