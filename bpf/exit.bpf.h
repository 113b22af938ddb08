/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Which of a process's threads is the last, and the status it leaves. */
#ifndef PROCSPAN_EXIT_H
#define PROCSPAN_EXIT_H

#include "kernel.bpf.h"
#include "ring.bpf.h"
#include "task.bpf.h"

/* The exit record under construction, which would not fit the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wire_fork_exit);
} exits SEC(".maps");

/*
 * For kernels whose exit tracepoint does not pass group_dead; see ends_process. An
 * entry matters for the microseconds in which two threads of a process exit at the
 * same time: ended holds the processes that were reported, leaders those whose
 * leader has reached the tracepoint.
 */
struct just_now {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct process_id);
	__type(value, __u8);
};
struct just_now ended SEC(".maps");
struct just_now leaders SEC(".maps");

/* Enters a process. Returns false if it was there; true also if there is no room. */
static __always_inline bool enter(void *map, struct process_id *id)
{
	__u8 yes = 1;
	/* Before 6.4 the functions of maps return an int: the upper half is not set. */
	int err = bpf_map_update_elem(map, id, &yes, BPF_NOEXIST);

	if (err && err != -EEXIST)
		count_loss(LOST_ENDED);
	return err != -EEXIST;
}

/*
 * Reports whether the exit of this thread ends its process: true for exactly one
 * thread of each process, as long as ended has room.
 *
 * Without group_dead, signal->live == 0 marks the last thread, but live drops before
 * the tracepoint: two threads that exit together may both read 0. The first to
 * enter the process in ended reports it. At that moment a leader may not have set
 * its exit code, which is the process's before 6.0 unless the whole group was
 * ended; so another thread leaves the report to a leader still on its way. The
 * leader has passed once it has an exit_state, or is in leaders, which it enters
 * before it reads live.
 */
static __always_inline bool ends_process(void *ctx, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	bool is_leader = task->pid == task->tgid;
	bool alone = task->signal->nr_threads == 1;
	struct process_id id = {};

	if (has_group_dead) /* volatile: no read where the argument does not exist */
		return ((volatile __u64 *)ctx)[1];
	id.pid = task->tgid;
	id.start = leader->start_boottime;
	if (is_leader && !alone)
		enter(&leaders, &id);
	if (task->signal->live.counter)
		return false;
	if (alone) /* another thread may have reported, and be released already */
		return !bpf_map_lookup_elem(&ended, &id);
	if (!is_leader && !(task->signal->flags & SIGNAL_GROUP_EXIT) && !leader->exit_state &&
	    !bpf_map_lookup_elem(&leaders, &id))
		return false;
	return enter(&ended, &id);
}

/* The status that wait_task_zombie will give to the parent. */
static __always_inline __s32 wait_status(struct task_struct *task)
{
	if (task->signal->flags & SIGNAL_GROUP_EXIT)
		return task->signal->group_exit_code;
	return task->group_leader->exit_code;
}

/*
 * Whether a thread of the parent is blocked in wait4, waitid or the like (do_wait),
 * for this process or for another. One that polls a pidfd is not.
 */
static __always_inline __u32 parent_waits(struct task_struct *task)
{
	struct signal_struct *signal = task->real_parent->signal;

	if (!bpf_core_field_exists(signal->wait_chldexit.head))
		return 0;
	if ((__u64)signal->wait_chldexit.head.next == (__u64)&signal->wait_chldexit.head)
		return WIRE_PARENT_KNOWN;
	return WIRE_PARENT_KNOWN | WIRE_PARENT_WAITING;
}

#endif
