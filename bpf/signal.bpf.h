/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The sender of the signal that killed a process. */
#ifndef PROCSPAN_SIGNAL_H
#define PROCSPAN_SIGNAL_H

#include "kernel.bpf.h"
#include "wire.bpf.h"
#include "ring.bpf.h"
#include "task.bpf.h"

/* include/uapi/asm-generic/signal.h */
#define SIGKILL	 9
#define SIGCHLD	 17
#define SIGCONT	 18
#define SIGSTOP	 19
#define SIGTSTP	 20
#define SIGTTIN	 21
#define SIGTTOU	 22
#define SIGURG	 23
#define SIGWINCH 28
#define BIT(n)	 (1ULL << (n))
/* Signals whose default action does not terminate. */
#define HARMLESS                                                                                   \
	(BIT(SIGCHLD) | BIT(SIGCONT) | BIT(SIGSTOP) | BIT(SIGTSTP) | BIT(SIGTTIN) | BIT(SIGTTOU) | \
	 BIT(SIGURG) | BIT(SIGWINCH))

/* include/uapi/asm-generic/siginfo.h */
enum {
	SI_USER = 0,
	SI_QUEUE = -1,
	SI_TKILL = -6,
};
#define SEND_SIG_PRIV 1 /* include/linux/sched/signal.h; SEND_SIG_NOINFO is 0 */

/* include/trace/events/signal.h */
enum {
	TRACE_SIGNAL_DELIVERED = 0,
	TRACE_SIGNAL_LOSE_INFO = 4, /* delivered without its siginfo */
};

/* A process and a signal sent to it. Several signals may be pending at once. */
struct signal_key {
	__u64 start;
	__u32 pid;
	__u32 signal;
};

/* The last sender, or the kernel for a SIGKILL of its own. */
struct last_signal {
	__u64 start; /* of the sender; 0 for the kernel */
	__u64 exec_id;
	__u64 oom_limit;
	__u32 pid;
	__u32 pad;
	char comm[TASK_COMM_LEN];
};

/* The entries of signals that kill nobody are evicted in time. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct signal_key);
	__type(value, struct last_signal);
} signals SEC(".maps");

/*
 * The limit, in pages, of the memory cgroup whose limit was hit; 0 for none. While
 * its OOM killer chooses and kills a victim, that cgroup and all below it have
 * oom_lock set. When the whole machine is out of memory, none has.
 */
static __always_inline __u64 oom_limit(struct task_struct *victim)
{
	struct mem_cgroup *memcg;
	__u64 limit = 0;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id) ||
	    !bpf_core_field_exists(struct mem_cgroup, oom_lock))
		return 0;
	memcg = (void *)BPF_CORE_READ(
	    victim, cgroups, subsys[bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id)]);
	for (int i = 0; i < CGROUPS_MAX && memcg && BPF_CORE_READ(memcg, oom_lock); i++) {
		limit = BPF_CORE_READ(memcg, memory.max);
		memcg = (void *)BPF_CORE_READ(memcg, css.parent); /* css comes first */
	}
	return limit;
}

/* Notes the sender of a signal that may kill. Runs in the sender, if there is one. */
static __always_inline void note_sender(struct task_struct *task, int sig,
					struct kernel_siginfo *info)
{
	struct signal_key key = {.signal = sig};
	struct last_signal last = {};
	struct task_struct *leader;
	bool sent = true;

	key.pid = task->tgid;
	leader = task->group_leader;
	key.start = leader->start_boottime;
	last.pid = bpf_get_current_pid_tgid() >> 32;
	if ((__u64)info > SEND_SIG_PRIV) {
		/* Read by a helper: newer verifiers do not take info for a pointer. */
		int code = BPF_CORE_READ(info, si_code);

		/* Timers and the like run in an arbitrary task. */
		sent = code == SI_USER || code == SI_QUEUE || code == SI_TKILL;
	} else if ((__u64)info == SEND_SIG_PRIV || last.pid == key.pid) {
		sent = false; /* NOINFO to itself: SIGPIPE, SIGXFSZ */
	}
	if (sig == SIGKILL && bpf_map_lookup_elem(&signals, &key)) /* the first kills */
		return;
	if (sent) {
		struct task_struct *sender = (void *)bpf_get_current_task();

		sender = BPF_CORE_READ(sender, group_leader);
		last.start = BPF_CORE_READ(sender, start_boottime);
		last.exec_id = BPF_CORE_READ(sender, self_exec_id);
		bpf_core_read_str(last.comm, sizeof(last.comm), &sender->comm);
	} else if (sig == SIGKILL) {
		last.pid = 0;
		last.oom_limit = oom_limit(task);
	} else {
		bpf_map_delete_elem(&signals, &key);
		return;
	}
	if (bpf_map_update_elem(&signals, &key, &last, BPF_ANY))
		count_loss(LOST_SIGNAL);
}

static __always_inline void fill_killer(struct wire_exit *record, struct task_struct *task)
{
	__u32 signal = record->status & 0x7f;
	struct signal_key key = {
	    .start = record->header.start, .pid = record->header.pid, .signal = signal};
	struct last_signal *last;

	if (!signal)
		return;
	last = bpf_map_lookup_elem(&signals, &key);
	if (last) {
		record->killer_start = last->start;
		record->killer_exec_id = last->exec_id;
		record->killer_pid = last->pid;
		record->oom_limit = last->oom_limit;
		__builtin_memcpy(record->killer_comm, last->comm, sizeof(last->comm));
		bpf_map_delete_elem(&signals, &key);
	}
	/* task_will_free_mem marks processes that were dying anyway. */
	if (signal == SIGKILL && !record->killer_pid && task->signal->oom_mm)
		record->header.flags |= WIRE_OOM_KILLED;
}

#endif
