/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The paths of cgroups, each sent once, before the first record that has its id. */
#ifndef PROCSPAN_CGROUP_H
#define PROCSPAN_CGROUP_H

#include "kernel.bpf.h"
#include "wire.bpf.h"
#include "groups.bpf.h"
#include "loop.bpf.h"
#include "ring.bpf.h"

const volatile bool capture_cgroups = false;

/* The ids of the cgroups whose path is in the ring, or is not sent: too long. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, __u8);
} cgroups_sent SEC(".maps");

struct cgroup_record {
	struct wire_cgroup cgroup;
	char data[PATH_ROOM + NAME_ROOM];
};

/*
 * Most tasks are in the cgroup of the task before: last_v2 and last_v1 save the
 * lookup in cgroups_sent. Whoever empties cgroups_sent must empty these, too.
 */
struct cgroup_state {
	__u64 last_v2;
	__u64 last_v1;
	struct cgroup_record record; /* under construction */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2); /* on_fork's and on_exec's */
	__type(key, __u32);
	__type(value, struct cgroup_state);
} cgroup_states SEC(".maps");

/* Since 6.15. */
struct kernfs_node___under_rcu {
	struct kernfs_node *__parent;
} __attribute__((preserve_access_index));

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *node)
{
	struct kernfs_node___under_rcu *under_rcu = (void *)node;

	if (bpf_core_field_exists(under_rcu->__parent))
		return BPF_CORE_READ(under_rcu, __parent);
	return BPF_CORE_READ(node, parent);
}

/* Appends the name of a node that is not the root, and moves up. */
static __noinline int append_directory(struct cgroup_record *record, struct kernfs_node **node)
{
	struct kernfs_node *parent = kernfs_parent(*node);
	__u32 end = record->cgroup.path_len;
	long len;

	if (!parent)
		return AT_END;
	if (end >= PATH_ROOM)
		return CUT;
	len = bpf_probe_read_kernel_str(record->data + end, NAME_ROOM, BPF_CORE_READ(*node, name));
	if (len <= 0)
		return CUT;
	record->cgroup.path_len = end + len;
	*node = parent;
	return GO_ON;
}

/*
 * Sends the path of a cgroup unless it is in cgroups_sent, and returns whether it is
 * there now. The id enters cgroups_sent after the path is in the ring: no record of
 * another CPU can precede the path. Where entering fails, the path is sent again.
 */
static __noinline bool send_cgroup(struct cgroup_record *record, struct cgroup *cgroup, __u64 id)
{
	struct kernfs_node *node;
	int step = GO_ON;
	__u8 yes = 1;

	if (bpf_map_lookup_elem(&cgroups_sent, &id))
		return true;
	node = BPF_CORE_READ(cgroup, kn);
	record->cgroup.header.kind = WIRE_CGROUP;
	record->cgroup.header.at = bpf_ktime_get_boot_ns();
	record->cgroup.id = id;
	record->cgroup.path_len = 0;
	for (int i = 0; i <= CGROUPS_MAX && step == GO_ON; i++)
		step = append_directory(record, &node);
	if (step != AT_END) {
		count_loss(LOST_CGROUP_DEPTH);
	} else {
		__u32 len = record->cgroup.path_len;

		if (len > sizeof(record->data)) /* never; for the verifier */
			return false;
		if (!submit(record, sizeof(record->cgroup) + len, LOST_CGROUP))
			return false;
	}
	return !bpf_map_update_elem(&cgroups_sent, &id, &yes, BPF_ANY);
}

/* own is the index of the calling program's state. */
static __always_inline void send_cgroups(struct wire_groups *g, struct task_struct *task, __u32 own)
{
	int i = v1_controller();
	struct cgroup_state *state;
	struct css_set *set;

	if (!capture_cgroups || !bpf_core_field_exists(task->cgroups))
		return;
	state = bpf_map_lookup_elem(&cgroup_states, &own);
	if (!state)
		return;
	set = task->cgroups;
	if (g->cgroup_v2 != state->last_v2 &&
	    send_cgroup(&state->record, set->dfl_cgrp, g->cgroup_v2))
		state->last_v2 = g->cgroup_v2;
	if (i >= 0 && g->cgroup_v1 != g->cgroup_v2 && g->cgroup_v1 != state->last_v1 &&
	    send_cgroup(&state->record, set->subsys[i]->cgroup, g->cgroup_v1))
		state->last_v1 = g->cgroup_v1;
}

#endif
