// Package process is the domain: kernel events go in, in the order of the kernel,
// and finished lifetimes come out.
//
// The package is pure. It knows nothing of eBPF, OTLP, files or clocks, and imports
// the standard library only. One goroutine owns a Table, so there are no locks. The
// same events always give the same lifetimes.
package process
