//go:build ignore

/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "wire.h"
#include "record.h"
#include "groups.h"
#include "credentials.h"
#include "namespaces.h"
#include "clock.h"
#include "usage.h"
#include "environment.h"
#include "cgroup.h"
#include "death.h"

char LICENSE[] SEC("license") = "GPL";

/* Set by the agent before loading; the verifier drops what they rule out. */
const volatile __u32 args_limit = 4096;
const volatile bool capture_cwd = true;

/*
 * For kernels whose exit tracepoint does not say group_dead; see ends_process.
 * An entry matters for the microseconds in which two threads of a process exit
 * at the same time: ended has the processes that were reported, leaders those
 * whose leader has come through the tracepoint.
 */
struct just_now {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct process_id);
	__type(value, __u8);
};
struct just_now ended SEC(".maps");
struct just_now leaders SEC(".maps");

/* Keeps the types in BTF, for bpf2go. */
const struct wire_fork *unused_fork __attribute__((unused));
const struct wire_name *unused_name __attribute__((unused));
const struct wire_exit *unused_exit __attribute__((unused));
const struct wire_snapshot *unused_snapshot __attribute__((unused));
const enum wire_flag unused_flag __attribute__((unused));
const enum wire_kind unused_kind __attribute__((unused));
const enum wire_loss unused_loss __attribute__((unused));

/* Since 6.2; for older kernels the agent takes the calls out. */
extern void *bpf_rdonly_cast(void *obj, __u32 btf_id) __ksym;

/*
 * Makes of a pointer one that is not trusted. For each pointer that is read by a
 * trusted one, the verifier looks through the names of all the kernel's types, several
 * times: near half the time to load a program. But each read by the other is checked
 * when it happens.
 */
static __always_inline struct task_struct *untrusted(struct task_struct *task)
{
	return bpf_rdonly_cast(task, bpf_core_type_id_kernel(struct task_struct));
}

/* The same where it counts more how soon one command begins than what each event costs. */
static __always_inline struct task_struct *quickly(struct task_struct *task)
{
	return only_followed ? untrusted(task) : task;
}

/* A copy by loads, which a call of a helper is dearer than. */
static __always_inline void copy_comm(char *to, struct task_struct *task)
{
	const __u64 *from = (const __u64 *)task->comm;

	_Static_assert(sizeof(task->comm) == 2 * sizeof(__u64), "two words");
	((__u64 *)to)[0] = from[0];
	((__u64 *)to)[1] = from[1];
}

static __always_inline void fill_header(struct wire_header *h, __u32 kind, struct task_struct *task,
					struct task_struct *parent)
{
	struct task_struct *leader = task->group_leader;
	struct task_struct *parent_leader = parent->group_leader;

	h->kind = kind;
	h->flags = 0;
	h->at = bpf_ktime_get_boot_ns();
	h->pid = task->tgid;
	h->start = leader->start_boottime;
	h->exec_id = leader->self_exec_id;
	h->parent_pid = parent->tgid;
	h->parent_start = parent_leader->start_boottime;
	copy_comm(h->comm, leader);
}

/*
 * kernel_clone: runs in the parent, before the child first runs, so that a
 * fork stands in the ring before anything its child does.
 */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct wire_fork record = {};

	parent = quickly(parent);
	child = quickly(child);
	if (child->pid != child->tgid) /* a thread */
		return 0;
	if (only_followed) {
		__u32 pid = parent->tgid;
		__u8 yes = 1;

		if (!bpf_map_lookup_elem(&followed, &pid))
			return 0;
		pid = child->tgid;
		if (bpf_map_update_elem(&followed, &pid, &yes, BPF_ANY)) {
			count_loss(LOST_FILTER);
			return 0;
		}
	}
	fill_header(&record.header, WIRE_FORK, child, parent);
	learn_clock(parent);
	fill_groups(&record.groups, parent);
	name_cgroups(&record.groups, parent);
	submit(&record, sizeof(record), LOST_FORK);
	return 0;
}

/*
 * Appends the name of a directory entry to the record's data, with its NUL; not
 * inlined, as append_above is not.
 */
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

/* Enters a mount: reads, at once where they stand together, the fields that a walk needs. */
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

/*
 * Crosses to the mount above, or appends one component there and moves up. Not
 * static, as the functions of environment.h are not: the verifier takes it once,
 * not for each iteration. Kernels before 5.15 also refuse the layout that clang
 * gives the loop when this is inlined (a back-edge that falls through).
 */
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
			return AT_ROOT;
		walk->dentry = walk->links.mountpoint;
		enter_mount(walk, (void *)walk->links.parent);
		return GO_ON;
	}
	dentry = (void *)walk->dentry;
	if (append_name(record, BPF_CORE_READ(dentry, d_name.name)) != GO_ON)
		return CUT;
	walk->dentry = (__u64)BPF_CORE_READ(dentry, d_parent);
	if (walk->dentry == (__u64)dentry) /* no mount's root: a memfd, a detached tree */
		return AT_ROOT;
	return GO_ON;
}

/*
 * Appends a path, the last component first: prepend_path without its locks. Up to
 * the root of the first mount the verifier knows what the pointers point to, and
 * following one is a load; above, where they were computed, each is a call.
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
			step = AT_ROOT;
		dentry = parent;
	}
	enter_mount(&record->walk, container_of(mnt, struct mount, mnt));
	record->walk.dentry = (__u64)dentry;
	record->walk.steps = i;
	for (i = 0; i < COMPONENTS_MAX && step == GO_ON; i++)
		step = append_above();
	if (step != AT_ROOT)
		record->exec.header.flags |= WIRE_PATH_CUT;
	end = record->end;
	if (end == record->walk.begin && step == AT_ROOT &&
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

/* exec_binprm: the new program is loaded and has not run yet. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct search *search = NULL;
	struct exec_record *record;
	struct vfsmount *mnt;
	struct dentry *dentry;
	unsigned long args, size;
	__u32 end;
	long len;

	task = quickly(task);
	if (only_followed) {
		__u32 pid = task->tgid;

		if (!bpf_map_lookup_elem(&followed, &pid))
			return 0;
	}
	record = bpf_map_lookup_elem(&scratch, &cpu);
	if (!record) {
		count_loss(LOST_SCRATCH);
		return 0;
	}
	fill_header(&record->exec.header, WIRE_EXEC, task, task->real_parent);
	learn_clock(task);
	if (task->self_exec_id - task->parent_exec_id == 1)
		record->exec.header.flags |= WIRE_FIRST_EXEC;
	fill_groups(&record->exec.groups, task);
	name_cgroups(&record->exec.groups, task);
	fill_credentials(&record->exec.credentials, task);
	if (has_other_root(task))
		record->exec.header.flags |= WIRE_OTHER_ROOT;
	fill_namespaces(&record->exec.namespaces, task);
	record->exec.argc = bprm->argc;

	len = bpf_probe_read_kernel_str(record->data, FILENAME_MAX, bprm->filename);
	record->end = len > 0 ? len : 0;
	record->exec.filename_len = record->end;

	mnt = bprm->file->f_path.mnt;
	dentry = bprm->file->f_path.dentry;
	if (unlinked(mnt, dentry))
		record->exec.header.flags |= WIRE_EXE_DELETED;
	append_path(record, mnt, dentry);
	record->exec.executable_len = record->end - record->exec.filename_len;

	record->exec.cwd_len = 0;
	if (capture_cwd) {
		__u32 begin = record->end;

		mnt = task->fs->pwd.mnt;
		dentry = task->fs->pwd.dentry;
		if (unlinked(mnt, dentry))
			record->exec.header.flags |= WIRE_CWD_DELETED;
		append_path(record, mnt, dentry);
		record->exec.cwd_len = record->end - begin;
	}

	args = task->mm->arg_start;
	size = task->mm->arg_end - args;
	if (size > args_limit) {
		size = args_limit;
		record->exec.header.flags |= WIRE_ARGS_CUT;
	}
	/* No bound here is ever passed; the verifier wants to see them. */
	end = record->end;
	if (end > PATHS_MAX || size > ARGS_MAX)
		return 0;
	if (variables_count)
		search = bpf_map_lookup_elem(&searches, &cpu);
	if (search && begin_search(search, task->mm, args, size)) {
		bpf_probe_read_kernel(record->data + end, size, search->chunk);
	} else if (bpf_probe_read_user(record->data + end, size, (void *)args)) {
		record->exec.header.flags |= WIRE_ARGS_CUT;
		count_loss(LOST_ARGS);
		size = 0;
	}
	record->exec.args_len = size;
	record->end = end + size;

	record->exec.env_len = 0;
	if (search)
		search_environment(record, search);
	end = record->end;
	if (end > EXEC_DATA_MAX)
		return 0;
	submit(record, sizeof(record->exec) + end, LOST_EXEC);
	return 0;
}

/*
 * Reports whether this exit, of one thread, ends its process; true for exactly
 * one thread of each.
 *
 * Without group_dead, signal->live == 0 marks the last thread, but it drops
 * before the tracepoint: two threads that exit together may both find it 0, and
 * the first to enter the process in ended reports. A leader may then not have
 * set its exit code yet, which is the process's before 6.0 unless the whole
 * group was ended: another thread leaves the report to a leader that is still
 * on its way. It is not any more when it has an exit_state, or is in leaders,
 * where it enters itself before it reads live.
 */
static __always_inline bool ends_process(void *ctx, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	bool is_leader = task->pid == task->tgid;
	bool alone = task->signal->nr_threads == 1;
	struct process_id id = {};
	__u8 yes = 1;

	if (has_group_dead) /* volatile: no read where the argument does not exist */
		return ((volatile __u64 *)ctx)[1];
	id.pid = task->tgid;
	id.start = leader->start_boottime;
	if (is_leader && !alone)
		bpf_map_update_elem(&leaders, &id, &yes, BPF_ANY);
	if (task->signal->live.counter)
		return false;
	if (alone) /* but another may have reported, and be gone already */
		return !bpf_map_lookup_elem(&ended, &id);
	if (!is_leader && !(task->signal->flags & SIGNAL_GROUP_EXIT) && !leader->exit_state &&
	    !bpf_map_lookup_elem(&leaders, &id))
		return false;
	return !bpf_map_update_elem(&ended, &id, &yes, BPF_NOEXIST);
}

/* do_exit; fires for every thread. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct wire_exit record = {};
	struct task_struct *leader;

	task = quickly(task);
	if (!ends_process(ctx, task)) {
		keep_io(task);
		return 0;
	}
	if (only_followed) {
		__u32 pid = task->tgid;

		if (bpf_map_delete_elem(&followed, &pid))
			return 0;
	}
	fill_header(&record.header, WIRE_EXIT, task, task->real_parent);
	leader = task->group_leader;
	if (!(leader->flags & PF_FORKNOEXEC))
		record.header.flags |= WIRE_EXECED;
	/* What wait_task_zombie will tell the parent. */
	if (task->signal->flags & SIGNAL_GROUP_EXIT)
		record.status = task->signal->group_exit_code;
	else
		record.status = leader->exit_code;
	fill_usage(&record.usage, task);
	fill_death(&record, task);
	submit(&record, sizeof(record),
	       record.header.flags & WIRE_EXECED ? LOST_EXIT : LOST_CHILD_EXIT);
	return 0;
}

/*
 * Lists the living, and those that are ending: a process is in the list unless its
 * exit is in the ring already. The exit's tracepoint comes after live is 0 and
 * before a thread has an exit_state; a leader that left before the last thread has
 * one, and the last is then not released yet.
 */
SEC("iter/task")
int list_living(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct wire_snapshot record = {};
	bool ending;

	if (!task)
		return 0;
	task = untrusted(task);
	if (task->pid != task->tgid)
		return 0;
	ending = !task->signal->live.counter;
	if (ending && task->exit_state && task->signal->nr_threads <= 1) /* a zombie */
		return 0;
	fill_header(&record.header, 0, task, task->real_parent);
	fill_groups(&record.groups, task);
	fill_credentials(&record.credentials, task);
	learn_reader();
	if (has_other_root(task))
		record.header.flags |= WIRE_OTHER_ROOT;
	fill_namespaces(&record.namespaces, task);
	if (!(task->flags & PF_FORKNOEXEC))
		record.header.flags |= WIRE_EXECED;
	if (task->flags & PF_KTHREAD)
		record.header.flags |= WIRE_KTHREAD;
	if (ending)
		record.header.flags |= WIRE_ENDING;
	if (task->tgid == (int)(bpf_get_current_pid_tgid() >> 32))
		record.header.flags |= WIRE_SELF;
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}
