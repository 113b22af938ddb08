// Package enrich adds what the kernel's events do not carry. Here live /proc,
// what a cgroup's path tells of containers, pods and units, and the names of
// users. What it cannot find is absent, never wrong: every answer is checked to
// be about the process that was meant.
package enrich
