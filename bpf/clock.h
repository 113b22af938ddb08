/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The scheduler's clock, which no helper tells. rq->clock is what it told when the
 * run queue was last updated, so now - rq->clock, with now of CLOCK_MONOTONIC, is
 * never less than how far the two are apart, and by chance almost that. The least
 * of all differences seen stands in for it. The clocks tick alike but for what NTP
 * corrects, so the least may grow by DRIFT of the time that has passed.
 */
#ifndef PROCSPAN_CLOCK_H
#define PROCSPAN_CLOCK_H

#define DRIFT(ns) ((ns) >> 13) /* 122 ppm */

struct apart {
	__s64 least;
	__u64 at;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct apart);
} clocks SEC(".maps");

/*
 * Returns the least that the scheduler's clock may tell now, on the CPU of rq, this
 * one; learns from each call. What is read of rq is read before now: an interrupt
 * in between makes the difference more, not less.
 */
static __always_inline __u64 scheduler_clock(struct rq *rq)
{
	__u64 clock = rq->clock;
	__u32 zero = 0;
	struct apart *apart = bpf_map_lookup_elem(&clocks, &zero);
	__s64 seen, least;
	__u64 now;

	if (!apart)
		return clock;
	barrier();
	now = bpf_ktime_get_ns();
	seen = now - clock;
	least = apart->least + DRIFT(now - apart->at);
	if (!apart->at || seen < least)
		least = seen;
	apart->least = least;
	apart->at = now;
	return now - least;
}

static __always_inline void learn_clock(struct task_struct *task)
{
	if (bpf_core_field_exists(task->se.cfs_rq)) /* CONFIG_FAIR_GROUP_SCHED */
		scheduler_clock(task->se.cfs_rq->rq);
}

/*
 * How long the task that runs here has run since its sum_exec_runtime was brought up
 * to date, a tick ago or less; rather too little than too much, but for what the
 * hypervisor or interrupts took since.
 */
static __always_inline __u64 current_slice(struct task_struct *task)
{
	struct rq *rq;
	__u64 began;
	__s64 slice;

	if (!bpf_core_field_exists(task->se.cfs_rq))
		return 0;
	rq = task->se.cfs_rq->rq;
	/* clock_task, which exec_start was read from, leaves out what they took. */
	began = task->se.exec_start + (rq->clock - rq->clock_task);
	slice = scheduler_clock(rq) - began;
	return slice > 0 ? slice : 0;
}

#endif
