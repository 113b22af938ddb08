/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The resource usage of a process: the sum over its threads. */
#ifndef PROCSPAN_USAGE_H
#define PROCSPAN_USAGE_H

#include "kernel.bpf.h"
#include "wire.bpf.h"
#include "clock.bpf.h"
#include "loop.bpf.h"
#include "ring.bpf.h"
#include "task.bpf.h"

#define THREADS_MAX 512 /* that exit at the same time */
#define TRIES_MAX   10	/* to add all while none of them is released */

#define FIELD(p, field) ((p)->field)

#define STATS_SEQUENCE(signal) ((signal)->stats_lock.seqcount.seqcount.sequence)

/* Adds the counters that both task_struct and signal_struct have. */
#define ADD_COUNTERS(u, p, READ)                                                                   \
	do {                                                                                       \
		(u)->utime += READ(p, utime);                                                      \
		(u)->stime += READ(p, stime);                                                      \
		(u)->min_flt += READ(p, min_flt);                                                  \
		(u)->maj_flt += READ(p, maj_flt);                                                  \
		(u)->nvcsw += READ(p, nvcsw);                                                      \
		(u)->nivcsw += READ(p, nivcsw);                                                    \
	} while (0)

#define ADD_RUN_DELAY(u, task, READ)                                                               \
	do {                                                                                       \
		if (bpf_core_field_exists((task)->sched_info.run_delay))                           \
			(u)->run_delay += READ(task, sched_info.run_delay);                        \
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

/* A walk over the threads that are not released yet. */
struct thread_walk {
	__u64 node; /* signal->thread_head or a thread's thread_node */
	__u64 head;
	__u64 exiting; /* the exiting task, which is not counted */
	struct wire_usage usage;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct thread_walk);
} walks SEC(".maps");

/* Adds the next thread of the walk. Not static; see loop.bpf.h. */
__noinline int add_thread(void)
{
	__u32 zero = 0;
	struct thread_walk *walk = bpf_map_lookup_elem(&walks, &zero);
	struct task_struct *thread;
	struct list_head *node;

	if (!walk)
		return AT_END;
	node = (void *)walk->node;
	walk->node = (__u64)BPF_CORE_READ(node, next);
	if (walk->node == walk->head)
		return AT_END;
	thread = (void *)(walk->node - bpf_core_field_offset(struct task_struct, thread_node));
	if ((__u64)thread != walk->exiting) {
		ADD_COUNTERS(&walk->usage, thread, BPF_CORE_READ);
		walk->usage.runtime += BPF_CORE_READ(thread, se.sum_exec_runtime);
		/*
		 * A thread releases its mm right before keep_thread adds its counters,
		 * so one with an mm is not in exited_threads yet; one between the two is
		 * missed. With group_dead the order is reversed; then threads between
		 * the two are few, and do no I/O.
		 */
		if (!has_group_dead && BPF_CORE_READ(thread, mm)) {
			ADD_IO(&walk->usage, thread, BPF_CORE_READ);
			ADD_RUN_DELAY(&walk->usage, thread, BPF_CORE_READ);
		}
	}
	return GO_ON;
}

/* Adds all threads of the walk. Not static, either. */
__noinline int add_threads(void)
{
	int step = GO_ON;

	for (int i = 0; i < THREADS_MAX && step == GO_ON; i++)
		step = add_thread();
	return step;
}

/* Adds the threads that are not released yet, except the exiting one. Returns whether all. */
static __noinline int add_others(struct wire_usage *u, struct task_struct *task,
				 struct signal_struct *signal)
{
	__u32 zero = 0;
	struct thread_walk *walk = bpf_map_lookup_elem(&walks, &zero);

	int step;

	if (!walk)
		return false;
	walk->head = walk->node = (__u64)&signal->thread_head;
	walk->exiting = (__u64)task;
	walk->usage = *u;
	step = add_threads();
	*u = walk->usage;
	return step == AT_END;
}

/* Returns whether all threads were added and none was released meanwhile. */
static __noinline int add_all(struct wire_usage *u, struct task_struct *task,
			      struct signal_struct *signal, bool ends)
{
	unsigned int sequence = STATS_SEQUENCE(signal);
	int all = true;

	barrier();
	__builtin_memset(u, 0, sizeof(*u));
	ADD_COUNTERS(u, signal, FIELD);
	ADD_COUNTERS(u, task, FIELD);
	u->runtime = signal->sum_sched_runtime + task->se.sum_exec_runtime;
	if (ends && signal->nr_threads > 1)
		all = add_others(u, task, signal);
	barrier();
	return all && !(sequence & 1) && sequence == STATS_SEQUENCE(signal);
}

/*
 * signal_struct has no sum of run_delay, and its I/O includes that of children that
 * were waited for (wait_task_zombie). So those of exited threads are kept here until
 * their process ends.
 */
struct thread_sum {
	__u64 read_bytes;
	__u64 write_bytes;
	__u64 rchar;
	__u64 wchar;
	__u64 run_delay;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct process_id);
	__type(value, struct thread_sum);
} exited_threads SEC(".maps");

/* Adds the counters of a thread that exits before its process ends. Others may exit, too. */
static __always_inline void keep_thread(struct task_struct *task)
{
	struct process_id id = {.pid = task->tgid, .start = task->group_leader->start_boottime};
	struct thread_sum none = {};
	struct thread_sum *sum = bpf_map_lookup_elem(&exited_threads, &id);

	if (!sum) {
		bpf_map_update_elem(&exited_threads, &id, &none, BPF_NOEXIST);
		sum = bpf_map_lookup_elem(&exited_threads, &id);
	}
	if (!sum) {
		count_loss(LOST_USAGE);
		return;
	}
	if (bpf_core_field_exists(task->ioac.read_bytes)) {
		__sync_fetch_and_add(&sum->read_bytes, task->ioac.read_bytes);
		__sync_fetch_and_add(&sum->write_bytes, task->ioac.write_bytes);
	}
	if (bpf_core_field_exists(task->ioac.rchar)) {
		__sync_fetch_and_add(&sum->rchar, task->ioac.rchar);
		__sync_fetch_and_add(&sum->wchar, task->ioac.wchar);
	}
	if (bpf_core_field_exists(task->sched_info.run_delay))
		__sync_fetch_and_add(&sum->run_delay, task->sched_info.run_delay);
}

static __always_inline void add_exited(struct wire_usage *u, struct task_struct *task, bool ends)
{
	struct process_id id = {.pid = task->tgid, .start = task->group_leader->start_boottime};
	struct thread_sum *exited;

	/*
	 * The sequence changes where a thread is released (__exit_signal) or a child is
	 * waited for. sum_sched_runtime would not do: a thread that is released before its
	 * run time was brought up to date (update_curr) adds nothing to it.
	 */
	if (task->signal->nr_threads == 1 && !STATS_SEQUENCE(task->signal))
		return; /* it never had a second thread */
	exited = bpf_map_lookup_elem(&exited_threads, &id);
	if (!exited)
		return;
	u->read_bytes += exited->read_bytes;
	u->write_bytes += exited->write_bytes;
	u->rchar += exited->rchar;
	u->wchar += exited->wchar;
	u->run_delay += exited->run_delay;
	if (ends)
		bpf_map_delete_elem(&exited_threads, &id);
}

/*
 * Fills in the usage of a process until now, at an exec or at its end.
 *
 * As thread_group_cputime does it: the counters of a thread are its own until it is
 * released (__exit_signal) and then part of the sums in signal_struct. A leader that
 * is not the last thread stays until its parent waits for it; other threads may
 * still be exiting. stats_lock's sequence changes when a thread is released. At an
 * exec there is one thread; where another than the leader called execve, it has
 * taken the leader's pid, and the leader is released.
 */
static __always_inline void fill_usage(struct wire_header *h, struct wire_usage *u,
				       struct task_struct *task, bool ends)
{
	struct signal_struct *signal = task->signal;
	int whole = false;

	for (int i = 0; i < TRIES_MAX && !whole; i++)
		whole = add_all(u, task, signal, ends);
	if (!whole)
		count_loss(LOST_USAGE);
	u->runtime += current_slice(task);
	u->maxrss = signal->maxrss;
	ADD_IO(u, task, FIELD);
	ADD_RUN_DELAY(u, task, FIELD);
	if (bpf_core_field_exists(task->sched_info.run_delay))
		h->flags |= WIRE_RUN_DELAY;
	add_exited(u, task, ends);
}

/*
 * The peak RSS of the last image alone, in pages: get_mm_hiwater_rss. signal->maxrss
 * includes the images before, even that of the parent until a vfork's exec. Where
 * the exit tracepoint comes after exit_mm, the mm is gone; see has_group_dead.
 */
static __always_inline __u64 image_rss(struct task_struct *task)
{
	struct mm_struct *mm = task->mm;
	__s64 rss;

	if (!has_group_dead || !mm)
		return 0;
	rss = mm->rss_stat[MM_FILEPAGES].count + mm->rss_stat[MM_ANONPAGES].count +
	      mm->rss_stat[MM_SHMEMPAGES].count;
	return rss > (__s64)mm->hiwater_rss ? rss : mm->hiwater_rss;
}

#endif
