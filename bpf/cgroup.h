/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The names of cgroups. */
#ifndef PROCSPAN_CGROUP_H
#define PROCSPAN_CGROUP_H

const volatile bool capture_cgroups = false;

/* The cgroups whose path was told, by id. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, __u8);
} named SEC(".maps");

struct name_record {
	struct wire_name name;
	char data[PATH_ROOM + NAME_ROOM];
};

/*
 * What a CPU needs to tell names. The cgroups it saw last are in named, or were
 * and were pushed out: most tasks are of the same as the one before, and are told
 * without looking there. Whoever empties named empties this, too.
 */
struct naming {
	__u64 last_v2;
	__u64 last_v1;
	struct name_record record; /* under construction */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct naming);
} naming SEC(".maps");

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

/*
 * Appends the name of a node that is not the root, and moves up. A function of
 * its own, as append_component is.
 */
static __noinline int append_directory(struct name_record *record, struct kernfs_node **node)
{
	struct kernfs_node *parent = kernfs_parent(*node);
	__u32 end = record->name.path_len;
	long len;

	if (!parent)
		return AT_ROOT;
	if (end >= PATH_ROOM)
		return CUT;
	len = bpf_probe_read_kernel_str(record->data + end, NAME_ROOM, BPF_CORE_READ(*node, name));
	if (len <= 0)
		return CUT;
	record->name.path_len = end + len;
	*node = parent;
	return GO_ON;
}

/*
 * Tells the path of a cgroup unless a record told it before; returns whether one
 * has. It is marked as told after: a record on another CPU does not come to stand
 * before its name.
 */
static __noinline bool name_cgroup(struct name_record *record, struct cgroup *cgroup, __u64 id)
{
	struct kernfs_node *node;
	int step = GO_ON;
	__u8 yes = 1;

	if (bpf_map_lookup_elem(&named, &id))
		return true;
	node = BPF_CORE_READ(cgroup, kn);
	record->name.header.kind = WIRE_NAME;
	record->name.header.at = bpf_ktime_get_boot_ns();
	record->name.cgroup = id;
	record->name.path_len = 0;
	for (int i = 0; i <= CGROUPS_MAX && step == GO_ON; i++)
		step = append_directory(record, &node);
	if (step != AT_ROOT) {
		count_loss(LOST_NAME_TOO_LONG);
	} else {
		__u32 len = record->name.path_len;

		if (len > sizeof(record->data)) /* never; the verifier wants to see it */
			return false;
		if (!submit(record, sizeof(record->name) + len, LOST_NAME))
			return false;
	}
	bpf_map_update_elem(&named, &id, &yes, BPF_ANY);
	return true;
}

static __always_inline void name_cgroups(struct wire_groups *g, struct task_struct *task)
{
	int i = v1_controller();
	struct naming *state;
	struct css_set *set;
	__u32 zero = 0;

	if (!capture_cgroups || !bpf_core_field_exists(task->cgroups))
		return;
	state = bpf_map_lookup_elem(&naming, &zero);
	if (!state)
		return;
	set = task->cgroups;
	if (g->cgroup_v2 != state->last_v2 &&
	    name_cgroup(&state->record, set->dfl_cgrp, g->cgroup_v2))
		state->last_v2 = g->cgroup_v2;
	if (i >= 0 && g->cgroup_v1 != g->cgroup_v2 && g->cgroup_v1 != state->last_v1 &&
	    name_cgroup(&state->record, set->subsys[i]->cgroup, g->cgroup_v1))
		state->last_v1 = g->cgroup_v1;
}

#endif
