/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Why a signal killed a process. */
#ifndef PROCSPAN_DEATH_H
#define PROCSPAN_DEATH_H

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
/* What kills nobody, with a handler or without one. */
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
	TRACE_SIGNAL_LOSE_INFO = 4, /* delivered, too */
};

/* A process and what was sent to it: one signal may wait while others come. */
struct signal_key {
	__u64 start;
	__u32 pid;
	__u32 signal;
};

/* Who sent it last, or the SIGKILL of the kernel. */
struct last_signal {
	__u64 start; /* of the sender; 0 for the kernel */
	__u64 exec_id;
	__u64 oom_limit;
	__u32 pid;
	__u32 pad;
	char comm[TASK_COMM_LEN];
};

/* Those that nobody died of are pushed out in time. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct signal_key);
	__type(value, struct last_signal);
} signals SEC(".maps");

/*
 * The limit, in pages, of the memory cgroup that has no room left for the victim:
 * it and all below it have oom_lock while its victim is chosen and killed, which
 * those of a machine that has no room left have not. 0 for none.
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

/* __send_signal: runs in the sender, as far as there is one. */
SEC("tp_btf/signal_generate")
int BPF_PROG(on_signal, int sig, struct kernel_siginfo *info, struct task_struct *task, int group,
	     int result)
{
	struct signal_key key = {.signal = sig};
	struct last_signal last = {};
	struct task_struct *leader;
	bool sent = true;

	if (BIT(sig & 63) & HARMLESS ||
	    (result != TRACE_SIGNAL_DELIVERED && result != TRACE_SIGNAL_LOSE_INFO))
		return 0;
	key.pid = task->tgid;
	if (only_followed && !bpf_map_lookup_elem(&followed, &key.pid))
		return 0;
	leader = task->group_leader;
	key.start = leader->start_boottime;
	last.pid = bpf_get_current_pid_tgid() >> 32;
	if ((__u64)info > SEND_SIG_PRIV) {
		/* Not read in place: to newer verifiers info is no pointer, as it need not be. */
		int code = BPF_CORE_READ(info, si_code);

		/* Not timers and the like, which find anybody running. */
		sent = code == SI_USER || code == SI_QUEUE || code == SI_TKILL;
	} else if ((__u64)info == SEND_SIG_PRIV || last.pid == key.pid) {
		sent = false; /* NOINFO to itself: SIGPIPE, SIGXFSZ */
	}
	if (sig == SIGKILL && bpf_map_lookup_elem(&signals, &key)) /* the first kills */
		return 0;
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
		return 0;
	}
	bpf_map_update_elem(&signals, &key, &last, BPF_ANY);
	return 0;
}

static __always_inline void fill_death(struct wire_exit *record, struct task_struct *task)
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
	/*
	 * A process that was dying anyway is marked as a victim, too
	 * (task_will_free_mem).
	 */
	if (signal == SIGKILL && !record->killer_pid && task->signal->oom_mm)
		record->header.flags |= WIRE_OOM_KILLED;
}

#endif
