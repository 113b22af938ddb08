/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Tasks: which are traced, how they are read, how a record identifies a process. */
#ifndef PROCSPAN_TASK_H
#define PROCSPAN_TASK_H

#include "kernel.bpf.h"
#include "wire.bpf.h"

const volatile bool only_followed = false; /* trace descendants of `followed` only */

/* Thread group ids whose descendants are traced, when only_followed. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u8);
} followed SEC(".maps");

static __always_inline bool is_traced(struct task_struct *task)
{
	__u32 pid = task->tgid;

	return !only_followed || bpf_map_lookup_elem(&followed, &pid);
}

/* sched_process_exit passes group_dead, and runs before exit_mm: since 6.16. */
const volatile bool has_group_dead = false;

struct process_id {
	__u64 start;
	__u32 pid;
	__u32 pad;
};

/* Since 6.2; for older kernels the agent removes the calls. */
extern void *bpf_rdonly_cast(void *obj, __u32 btf_id) __ksym;

/*
 * Casts a trusted pointer to an untrusted one. For each read through a trusted
 * pointer the verifier searches the names of all kernel types several times, which
 * is nearly half the time to load a program. In return the kernel checks each read
 * through an untrusted pointer at run time.
 */
static __always_inline struct task_struct *untrusted(struct task_struct *task)
{
	return bpf_rdonly_cast(task, bpf_core_type_id_kernel(struct task_struct));
}

/* Casts where a fast start of one command matters more than the cost per event. */
static __always_inline struct task_struct *fast_to_load(struct task_struct *task)
{
	return only_followed ? untrusted(task) : task;
}

/* Copies with plain loads, which are cheaper than a helper call. */
static __always_inline void copy_comm(char *to, struct task_struct *task)
{
	const __u64 *from = (const __u64 *)task->comm;

	_Static_assert(sizeof(task->comm) == 2 * sizeof(__u64), "two words");
	((__u64 *)to)[0] = from[0];
	((__u64 *)to)[1] = from[1];
}

static __always_inline void fill_header(struct wire_header *h, __u32 kind, struct task_struct *task,
					struct task_struct *parent)
{
	struct task_struct *leader = task->group_leader;
	struct task_struct *parent_leader = parent->group_leader;

	h->kind = kind;
	h->flags = 0;
	h->at = bpf_ktime_get_boot_ns();
	h->pid = task->tgid;
	h->start = leader->start_boottime;
	h->exec_id = leader->self_exec_id;
	h->parent_pid = parent->tgid;
	h->parent_start = parent_leader->start_boottime;
	copy_comm(h->comm, leader);
}

#endif
