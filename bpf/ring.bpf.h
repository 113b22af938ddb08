/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The ring buffer that records leave through, and the counters of losses. */
#ifndef PROCSPAN_RING_H
#define PROCSPAN_RING_H

#include "kernel.bpf.h"
#include "wire.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LOSS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps");

static __always_inline void count_loss(__u32 reason)
{
	__u64 *count = bpf_map_lookup_elem(&losses, &reason);

	if (count)
		(*count)++;
}

const volatile __u64 watermark = 4 << 20; /* wake the reader at this many unread bytes */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} events SEC(".maps");

/* The consumer position, plus 1, that the reader was last woken for. */
__u64 woken_for;

/*
 * Submits a record, and returns whether it is in the ring. The reader polls on its
 * own timer; above the watermark it is woken, once for each consumer position.
 *
 * A sleeping reader is woken by the next record above the watermark, however many
 * CPUs write at once: before it sleeps it releases what it has read, which changes
 * the position, and then sees for itself whether the ring is above the watermark.
 * Only records that are written at the same moment as those that pass the watermark
 * may miss it; the rest of the ring, three quarters, has room for one of the largest
 * of each CPU.
 */
static __always_inline bool submit(void *record, __u64 size, __u32 loss)
{
	__u64 position = woken_for;

	if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= watermark)
		position = bpf_ringbuf_query(&events, BPF_RB_CONS_POS) + 1;
	if (bpf_ringbuf_output(&events, record, size,
			       position == woken_for ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP)) {
		count_loss(loss);
		return false;
	}
	woken_for = position;
	return true;
}

#endif
