// Package enrich adds what the kernel's events do not carry: the state of running
// processes in /proc, the container, pod and unit in a cgroup's path, and the names
// of users. What cannot be found is absent, never wrong: every answer is checked to
// be about the process asked for. Every read is bounded, whatever a user puts there.
package enrich
