/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The path of a file, from its last component up to the root. */
#ifndef PROCSPAN_PATH_H
#define PROCSPAN_PATH_H

#include "kernel.bpf.h"
#include "wire.bpf.h"
#include "exec.bpf.h"
#include "loop.bpf.h"

/* Appends the name of a directory entry, with its NUL. */
static __noinline int append_name(struct exec_record *record, const unsigned char *name)
{
	__u32 end = record->end;
	long len;

	if (end - record->walk.begin >= PATH_ROOM || end > PATHS_MAX - NAME_ROOM)
		return CUT;
	len = bpf_probe_read_kernel_str(record->data + end, NAME_ROOM, name);
	if (len <= 0)
		return CUT;
	record->end = end + len;
	return GO_ON;
}

/* Enters a mount. One read fetches all its links if they are adjacent. */
static __always_inline void enter_mount(struct walk *walk, struct mount *mnt)
{
	const __u32 begin = bpf_core_field_offset(mnt->mnt_parent);

	walk->mnt = (__u64)mnt;
	if (bpf_core_field_offset(mnt->mnt_mountpoint) == begin + sizeof(__u64) &&
	    bpf_core_field_offset(mnt->mnt.mnt_root) == begin + 2 * sizeof(__u64)) {
		bpf_probe_read_kernel(&walk->links, sizeof(walk->links), &mnt->mnt_parent);
		return;
	}
	walk->links.parent = (__u64)BPF_CORE_READ(mnt, mnt_parent);
	walk->links.mountpoint = (__u64)BPF_CORE_READ(mnt, mnt_mountpoint);
	walk->links.root = (__u64)BPF_CORE_READ(mnt, mnt.mnt_root);
}

/* Crosses to the mount above, or appends one component and moves up. */
__noinline int append_above(void)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct exec_record *record = bpf_map_lookup_elem(&scratch, &cpu);
	struct dentry *dentry;
	struct walk *walk;

	if (!record || ++record->walk.steps > COMPONENTS_MAX)
		return CUT;
	walk = &record->walk;
	if (walk->dentry == walk->links.root) {
		if (walk->links.parent == walk->mnt)
			return AT_END;
		walk->dentry = walk->links.mountpoint;
		enter_mount(walk, (void *)walk->links.parent);
		return GO_ON;
	}
	dentry = (void *)walk->dentry;
	if (append_name(record, BPF_CORE_READ(dentry, d_name.name)) != GO_ON)
		return CUT;
	walk->dentry = (__u64)BPF_CORE_READ(dentry, d_parent);
	if (walk->dentry == (__u64)dentry) /* outside any mount: a memfd, a detached tree */
		return AT_END;
	return GO_ON;
}

/*
 * Appends a path, the last component first: prepend_path without its locks. Up to
 * the root of the first mount the verifier knows the types of the pointers, and
 * following one is a load; above, where pointers are computed, each is a call.
 */
static __noinline int append_path(struct exec_record *record, struct vfsmount *mnt,
				  struct dentry *dentry)
{
	struct dentry *root = mnt->mnt_root;
	int step = GO_ON;
	__u32 i, end;

	record->walk.begin = record->end;
	for (i = 0; i < COMPONENTS_MAX && step == GO_ON && dentry != root; i++) {
		struct dentry *parent = dentry->d_parent;

		step = append_name(record, dentry->d_name.name);
		if (step == GO_ON && parent == dentry)
			step = AT_END;
		dentry = parent;
	}
	enter_mount(&record->walk, container_of(mnt, struct mount, mnt));
	record->walk.dentry = (__u64)dentry;
	record->walk.steps = i;
	for (i = 0; i < COMPONENTS_MAX && step == GO_ON; i++)
		step = append_above();
	if (step != AT_END)
		record->exec.header.flags |= WIRE_PATH_CUT;
	end = record->end;
	if (end == record->walk.begin && step == AT_END &&
	    end <= PATHS_MAX) { /* the root itself: "/" */
		record->data[end] = 0;
		record->end = end + 1;
	}
	return 0;
}

/* d_unlinked: neither the root of its tree nor in the dentry hash. */
static __always_inline bool unlinked(struct vfsmount *mnt, struct dentry *dentry)
{
	return !dentry->d_hash.pprev && dentry != mnt->mnt_root;
}

#endif
