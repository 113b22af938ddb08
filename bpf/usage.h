/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What the threads of a process used. */
#ifndef PROCSPAN_USAGE_H
#define PROCSPAN_USAGE_H

#define THREADS_MAX 512 /* that are exiting at the same time */

#define FIELD(p, field) ((p)->field)

/* Adds the counters that task_struct and signal_struct both have. */
#define ADD_COUNTERS(u, p, READ)                                                                   \
	do {                                                                                       \
		(u)->utime += READ(p, utime);                                                      \
		(u)->stime += READ(p, stime);                                                      \
		(u)->min_flt += READ(p, min_flt);                                                  \
		(u)->maj_flt += READ(p, maj_flt);                                                  \
		(u)->nvcsw += READ(p, nvcsw);                                                      \
		(u)->nivcsw += READ(p, nivcsw);                                                    \
	} while (0)

#define ADD_IO(u, task, READ)                                                                      \
	do {                                                                                       \
		if (bpf_core_field_exists((task)->ioac.read_bytes)) {                              \
			(u)->read_bytes += READ(task, ioac.read_bytes);                            \
			(u)->write_bytes += READ(task, ioac.write_bytes);                          \
		}                                                                                  \
		if (bpf_core_field_exists((task)->ioac.rchar)) {                                   \
			(u)->rchar += READ(task, ioac.rchar);                                      \
			(u)->wchar += READ(task, ioac.wchar);                                      \
		}                                                                                  \
	} while (0)

/* A walk over the threads that are not released yet, and what they used. */
struct thread_walk {
	__u64 node; /* signal->thread_head or a thread's thread_node */
	__u64 head;
	__u64 exiting; /* not counted: the task that exits */
	struct wire_usage usage;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct thread_walk);
} walks SEC(".maps");

/*
 * Adds the next thread of the walk. Not static, as the functions of
 * environment.h are not: the verifier takes it once, not for each iteration.
 */
__noinline int add_thread(void)
{
	__u32 zero = 0;
	struct thread_walk *walk = bpf_map_lookup_elem(&walks, &zero);
	struct task_struct *thread;
	struct list_head *node;

	if (!walk)
		return AT_ROOT;
	node = (void *)walk->node;
	walk->node = (__u64)BPF_CORE_READ(node, next);
	if (walk->node == walk->head)
		return AT_ROOT;
	thread = (void *)(walk->node - bpf_core_field_offset(struct task_struct, thread_node));
	if ((__u64)thread != walk->exiting) {
		ADD_COUNTERS(&walk->usage, thread, BPF_CORE_READ);
		walk->usage.runtime += BPF_CORE_READ(thread, se.sum_exec_runtime);
		/*
		 * It has let go of its memory right before keep_io, or has not come so
		 * far. With group_dead that does not tell; on the way from there to
		 * keep_io is little, and nothing is waited for.
		 */
		if (!has_group_dead && BPF_CORE_READ(thread, mm))
			ADD_IO(&walk->usage, thread, BPF_CORE_READ);
	}
	return GO_ON;
}

/* Adds the threads of the walk, for the same reason not static. */
__noinline int add_threads(void)
{
	int step = GO_ON;

	for (int i = 0; i < THREADS_MAX && step == GO_ON; i++)
		step = add_thread();
	return 0;
}

/* Adds the threads that are not released yet, but for the one that is exiting. */
static __noinline int add_others(struct wire_usage *u, struct task_struct *task,
				 struct signal_struct *signal)
{
	__u32 zero = 0;
	struct thread_walk *walk = bpf_map_lookup_elem(&walks, &zero);

	if (!walk)
		return 0;
	walk->head = walk->node = (__u64)&signal->thread_head;
	walk->exiting = (__u64)task;
	walk->usage = *u;
	add_threads();
	*u = walk->usage;
	return 0;
}

/* Returns whether no thread was released meanwhile. */
static __noinline int add_all(struct wire_usage *u, struct task_struct *task,
			      struct signal_struct *signal)
{
	unsigned int sequence = signal->stats_lock.seqcount.seqcount.sequence;

	barrier();
	__builtin_memset(u, 0, sizeof(*u));
	ADD_COUNTERS(u, signal, FIELD);
	ADD_COUNTERS(u, task, FIELD);
	u->runtime = signal->sum_sched_runtime + task->se.sum_exec_runtime;
	if (signal->nr_threads > 1)
		add_others(u, task, signal);
	barrier();
	return !(sequence & 1) && sequence == signal->stats_lock.seqcount.seqcount.sequence;
}

/*
 * I/O is not taken from signal_struct: there it has that of the children, too,
 * which were waited for (wait_task_zombie). What threads did that have exited
 * stands here until their process ends.
 */
struct thread_io {
	__u64 read_bytes;
	__u64 write_bytes;
	__u64 rchar;
	__u64 wchar;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct process_id);
	__type(value, struct thread_io);
} exited_io SEC(".maps");

/* Keeps the I/O of a thread that exits before its process ends; others may too. */
static __always_inline void keep_io(struct task_struct *task)
{
	struct process_id id = {.pid = task->tgid, .start = task->group_leader->start_boottime};
	struct thread_io none = {};
	struct thread_io *sum = bpf_map_lookup_elem(&exited_io, &id);

	if (!sum) {
		bpf_map_update_elem(&exited_io, &id, &none, BPF_NOEXIST);
		sum = bpf_map_lookup_elem(&exited_io, &id);
	}
	if (!sum)
		return;
	if (bpf_core_field_exists(task->ioac.read_bytes)) {
		__sync_fetch_and_add(&sum->read_bytes, task->ioac.read_bytes);
		__sync_fetch_and_add(&sum->write_bytes, task->ioac.write_bytes);
	}
	if (bpf_core_field_exists(task->ioac.rchar)) {
		__sync_fetch_and_add(&sum->rchar, task->ioac.rchar);
		__sync_fetch_and_add(&sum->wchar, task->ioac.wchar);
	}
}

static __always_inline void fill_io(struct wire_usage *u, struct task_struct *task,
				    struct signal_struct *signal)
{
	struct process_id id = {.pid = task->tgid, .start = task->group_leader->start_boottime};
	struct thread_io *exited;

	ADD_IO(u, task, FIELD);
	if (signal->nr_threads == 1 && !signal->sum_sched_runtime)
		return; /* it never had another thread */
	exited = bpf_map_lookup_elem(&exited_io, &id);
	if (!exited)
		return;
	u->read_bytes += exited->read_bytes;
	u->write_bytes += exited->write_bytes;
	u->rchar += exited->rchar;
	u->wchar += exited->wchar;
	bpf_map_delete_elem(&exited_io, &id);
}

/*
 * thread_group_cputime and its like: a thread's counters are its own until it is
 * released (__exit_signal), and then among those of the signal_struct. A leader
 * that is not the last stays for its parent to wait for; other threads may be on
 * their way still. The sequence tells that none changed over meanwhile.
 */
static __always_inline void fill_usage(struct wire_usage *u, struct task_struct *task)
{
	struct signal_struct *signal = task->signal;
	int whole = false;

	for (int i = 0; i < 3 && !whole; i++)
		whole = add_all(u, task, signal);
	u->runtime += current_slice(task);
	u->maxrss = signal->maxrss;
	fill_io(u, task, signal);
}

#endif
