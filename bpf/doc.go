// Package bpf knows the kernel: the BPF programs that see fork, exec, exit and signals,
// how they are loaded and attached, and how their records are encoded. Records come
// in from the ring buffer, process.Event goes out; no other package sees their bytes.
//
// All programs are in procspan.bpf.c. Each *.bpf.h includes what it uses and defines
// no program: kernel (the kernel fields that are read), wire (the records), ring (how
// they leave, and the losses), task (which are traced), loop (the verifier and loops),
// and one per subject: groups, credentials, namespaces, clock, usage, exec, path,
// environment, cgroup, signal, exit. The object is committed; `make generate`
// rebuilds it. Tracepoints with BTF (tp_btf) and iterators need a kernel with BTF,
// 5.10 or newer, and neither kprobes nor fentry.
package bpf
