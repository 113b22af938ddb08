/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The session, process group, terminal and cgroups of a task. */
#ifndef PROCSPAN_GROUPS_H
#define PROCSPAN_GROUPS_H

#include "kernel.bpf.h"
#include "wire.bpf.h"

/* tty_devnum, as new_encode_dev encodes it. */
static __always_inline __u32 devnum(struct tty_struct *tty)
{
	struct tty_driver *driver = tty->driver;
	__u32 minor = driver->minor_start + tty->index;

	return (minor & 0xff) | driver->major << 8 | (minor & ~0xff) << 12;
}

/* The controller whose v1 hierarchy stands for all of them; -1 for none. */
static __always_inline int v1_controller(void)
{
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
		return bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id);
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, cpu_cgrp_id))
		return bpf_core_enum_value(enum cgroup_subsys_id, cpu_cgrp_id);
	return -1;
}

static __always_inline void fill_groups(struct wire_groups *g, struct task_struct *task)
{
	struct signal_struct *signal = task->signal;
	struct tty_struct *tty = signal->tty;

	g->session = signal->pids[PIDTYPE_SID]->numbers[0].nr;
	g->group = signal->pids[PIDTYPE_PGID]->numbers[0].nr;
	g->terminal = 0;
	if (bpf_core_type_exists(struct tty_struct) && tty)
		g->terminal = devnum(tty);
	g->pad = 0;
	g->cgroup_v2 = 0;
	g->cgroup_v1 = 0;
	if (bpf_core_field_exists(task->cgroups)) {
		struct css_set *set = task->cgroups;
		struct cgroup *cgroup = set->dfl_cgrp;
		struct cgroup_root *root = cgroup->root;
		int i = v1_controller();

		g->cgroup_v2 = cgroup->kn->id;
		/*
		 * In v2 a controller's cgroup may be an ancestor: the nearest that
		 * enables it.
		 */
		if (i >= 0 && set->subsys[i]->cgroup->root != root)
			cgroup = set->subsys[i]->cgroup;
		g->cgroup_v1 = cgroup->kn->id;
	}
}

#endif
