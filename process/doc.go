// Package process is the domain: events of processes come in, in the order in
// which the kernel had them, and finished lifetimes go out.
//
// It is pure. It knows nothing of eBPF, OTLP, files or clocks, imports the
// standard library only, takes no locks (one goroutine owns a Table), and does
// the same for the same events every time.
package process
