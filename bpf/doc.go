// Package bpf knows the kernel: the programs that see fork, exec, exit and signals, how
// they are loaded and attached, and what their records look like. Records come
// in from the ring buffer, process.Event goes out; nobody else sees bytes.
//
// The C side is procspan.bpf.c (the programs and the paths); groups.h, credentials.h,
// namespaces.h, environment.h, usage.h, clock.h, death.h and cgroup.h (what else they
// gather); record.h (what they share); kernel.h (the kernel fields that are read) and
// wire.h (the records). Its object is committed; `make generate` rebuilds it.
// The programs are tp_btf only, which needs a kernel with BTF, 5.10 or newer,
// and neither kprobes nor fentry.
package bpf
