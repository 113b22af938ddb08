/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What the programs share: which processes, the records' way out, the count of what was lost. */
#ifndef PROCSPAN_RECORD_H
#define PROCSPAN_RECORD_H

/* Bounds of one exec record. */
#define FILENAME_MAX   4096
#define NAME_ROOM      256 /* NAME_MAX and its NUL */
#define PATH_ROOM      4096
#define COMPONENTS_MAX 96
#define CGROUPS_MAX    32 /* above each other */
#define ARGS_MAX       32768
#define PATHS_MAX      (FILENAME_MAX + 2 * (PATH_ROOM + NAME_ROOM))
#define ENV_MAX	       16384
#define EXEC_DATA_MAX  (PATHS_MAX + ARGS_MAX + ENV_MAX)

/* Bounds of one environment variable. */
#define VARIABLE_NAME_MAX 64
#define VARIABLE_MAX	  (VARIABLE_NAME_MAX + 1 + 8192 + 1) /* NAME=value and its NUL */

/* Of a mount, as struct mount has them, one after the other. */
struct mount_links {
	__u64 parent;
	__u64 mountpoint;
	__u64 root;
};

/* A walk from a file up to the root of its mount namespace. */
struct walk {
	__u64 mnt;
	struct mount_links links; /* of mnt */
	__u64 dentry;
	__u32 begin; /* of the path in exec_record.data */
	__u32 steps;
};

struct exec_record {
	struct wire_exec exec;
	/* One more variable is read before its length tells whether it is taken. */
	char data[EXEC_DATA_MAX + VARIABLE_MAX + 1];
	__u32 end; /* of what data holds */
	struct walk walk;
};

/* One record under construction per CPU, indexed by CPU number. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the agent sets the number of possible CPUs */
	__type(key, __u32);
	__type(value, struct exec_record);
} scratch SEC(".maps");

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

const volatile __u64 watermark = 4 << 20; /* wake the reader at so many waiting bytes */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} events SEC(".maps");

/*
 * Submits without waking the reader, which comes by on its own timer. Only
 * while the ring passes the watermark is it called; the window is as wide as
 * the largest record, so that none jumps over it. Returns whether the record is in.
 */
static __always_inline bool submit(void *record, __u64 size, __u32 loss)
{
	__u64 waiting = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (waiting >= watermark && waiting < watermark + sizeof(struct wire_exec) + EXEC_DATA_MAX)
		flags = BPF_RB_FORCE_WAKEUP;
	if (!bpf_ringbuf_output(&events, record, size, flags))
		return true;
	count_loss(loss);
	return false;
}

const volatile bool only_followed = false; /* trace descendants of `followed` only */

/* Thread group ids whose descendants are traced, when only_followed. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u8);
} followed SEC(".maps");

/* sched_process_exit passes group_dead; with it, since 6.16, it comes before exit_mm. */
const volatile bool has_group_dead = false;

struct process_id {
	__u64 start;
	__u32 pid;
	__u32 pad;
};

/* One step of a walk up to a root. */
enum step {
	GO_ON,
	AT_ROOT,
	CUT,
};

#endif
