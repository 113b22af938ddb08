/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * An estimate of the scheduler's clock, which no helper returns. rq->clock is its
 * value at the last update of the run queue. So now - rq->clock, with now from
 * CLOCK_MONOTONIC, is never less than the offset between the two clocks, and
 * sometimes almost equal to it. The estimate of the offset is the least difference
 * seen. The clocks drift apart only as NTP corrects one of them, so the least
 * difference may grow by DRIFT of the elapsed time.
 */
#ifndef PROCSPAN_CLOCK_H
#define PROCSPAN_CLOCK_H

#include "kernel.bpf.h"

#define DRIFT(ns) ((ns) >> 13) /* 122 ppm */

struct clock_offset {
	__s64 least;
	__u64 at;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct clock_offset);
} clocks SEC(".maps");

/*
 * Returns a lower bound of the scheduler's clock on this CPU, whose run queue is rq,
 * and improves the estimate. rq->clock is read before now: an interrupt in between
 * makes the difference larger, not smaller. A preempting program may write another
 * estimate meanwhile: whichever stays, it is a difference that was seen, and its time
 * is too early rather than too late, except by the microseconds in between.
 */
static __always_inline __u64 scheduler_clock(struct rq *rq)
{
	__u64 clock = rq->clock;
	__u32 zero = 0;
	struct clock_offset *offset = bpf_map_lookup_elem(&clocks, &zero);
	__s64 seen, least;
	__u64 now;

	if (!offset)
		return clock;
	barrier();
	now = bpf_ktime_get_ns();
	seen = now - clock;
	least = offset->least + DRIFT(now - offset->at);
	if (!offset->at || seen < least)
		least = seen;
	offset->least = least;
	offset->at = now;
	return now - least;
}

static __always_inline void learn_clock(struct task_struct *task)
{
	if (bpf_core_field_exists(task->se.cfs_rq)) /* CONFIG_FAIR_GROUP_SCHED */
		scheduler_clock(task->se.cfs_rq->rq);
}

/*
 * Returns how long the current task has run since the last update of its
 * sum_exec_runtime, at most a tick ago. It is a lower bound, except that it includes
 * the time that the hypervisor and interrupts took since.
 */
static __always_inline __u64 current_slice(struct task_struct *task)
{
	struct rq *rq;
	__u64 began;
	__s64 slice;

	if (!bpf_core_field_exists(task->se.cfs_rq))
		return 0;
	rq = task->se.cfs_rq->rq;
	/* exec_start is of clock_task, which excludes that time. */
	began = task->se.exec_start + (rq->clock - rq->clock_task);
	slice = scheduler_clock(rq) - began;
	return slice > 0 ? slice : 0;
}

#endif
