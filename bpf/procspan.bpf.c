//go:build ignore

/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The BPF programs. Each fills a record and submits it; the headers do the parts.
 *
 * Per-CPU state belongs to one program. The kernel runs no program on a CPU where the
 * same program is already running: before 6.1 tracepoints disable preemption, since
 * then the second run is skipped and counted (see Tracer.Losses). Two programs may
 * interleave on a CPU where tracepoints can be preempted, as on PREEMPT_RT kernels, or
 * where an interrupt sends a signal. They share three things: hash maps; the counters
 * of losses, where on_signal has its own; and clocks, whose races are harmless (see
 * clock.bpf.h). No program leaves its CPU while it runs.
 */
#include "kernel.bpf.h"

#include <bpf/bpf_tracing.h>

#include "wire.bpf.h"
#include "ring.bpf.h"
#include "task.bpf.h"
#include "groups.bpf.h"
#include "credentials.bpf.h"
#include "namespaces.bpf.h"
#include "clock.bpf.h"
#include "exec.bpf.h"
#include "rules.bpf.h"
#include "path.bpf.h"
#include "environment.bpf.h"
#include "cgroup.bpf.h"
#include "usage.bpf.h"
#include "signal.bpf.h"
#include "exit.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* The agent sets these before loading; the verifier removes the code they exclude. */
const volatile __u32 args_limit = 4096;
const volatile bool capture_cwd = true;

/* Keep these types in BTF, for bpf2go. */
const struct wire_fork *unused_fork __attribute__((unused));
const struct wire_cgroup *unused_cgroup __attribute__((unused));
const struct wire_fork_exit *unused_exit __attribute__((unused));
const struct wire_snapshot *unused_snapshot __attribute__((unused));
const enum wire_flag unused_flag __attribute__((unused));
const enum wire_kind unused_kind __attribute__((unused));
const enum wire_loss unused_loss __attribute__((unused));
const enum tree_flag unused_tree_flag __attribute__((unused));
const enum wire_bound unused_bound __attribute__((unused));

/*
 * kernel_clone: runs in the parent before the child first runs, so that a fork
 * precedes in the ring all that the child does.
 */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct wire_fork record = {};

	parent = fast_to_load(parent);
	child = fast_to_load(child);
	if (child->pid != child->tgid) /* a thread */
		return 0;
	if (!is_traced(parent))
		return 0;
	if (only_followed) {
		__u32 pid = child->tgid;
		__u8 yes = 1;

		if (bpf_map_update_elem(&followed, &pid, &yes, BPF_ANY)) {
			count_loss(LOST_FILTER);
			return 0;
		}
	}
	if (drop_child(parent, child))
		return 0;
	fill_header(&record.header, WIRE_FORK, child, parent);
	learn_clock(parent);
	fill_groups(&record.groups, parent);
	send_cgroups(&record.groups, parent, 0);
	submit(&record, sizeof(record), LOST_FORK);
	return 0;
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

	task = fast_to_load(task);
	if (!is_traced(task) || drop_exec(task))
		return 0;
	record = bpf_map_lookup_elem(&scratch, &cpu);
	if (!record) {
		count_loss(LOST_SCRATCH);
		return 0;
	}
	fill_header(&record->exec.header, WIRE_EXEC, task, task->real_parent);
	fill_usage(&record->exec.header, &record->exec.usage, task, false);
	if (task->self_exec_id - task->parent_exec_id == 1)
		record->exec.header.flags |= WIRE_FIRST_EXEC;
	fill_groups(&record->exec.groups, task);
	send_cgroups(&record->exec.groups, task, 1);
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
	if (rules_enabled)
		apply_rules(record, record->end);

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
	/* Never; for the verifier. */
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

/* do_exit: fires for each thread. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct wire_fork_exit *record;
	struct wire_header *header;
	struct wire_exit *exit;
	__u32 zero = 0;

	task = fast_to_load(task);
	if (!ends_process(ctx, task)) {
		if (!is_dropped(task))
			keep_thread(task);
		return 0;
	}
	if (only_followed) {
		__u32 pid = task->tgid;

		if (bpf_map_delete_elem(&followed, &pid))
			return 0;
	}
	if (leave_tree(task))
		return 0;
	record = bpf_map_lookup_elem(&exits, &zero);
	if (!record) /* never; for the verifier */
		return 0;
	exit = &record->exit;
	header = &exit->header;
	__builtin_memset(exit, 0, sizeof(*exit));
	fill_header(header, WIRE_EXIT, task, task->real_parent);
	header->flags |= parent_waits(task);
	exit->status = wait_status(task);
	exit->image_rss = image_rss(task);
	fill_usage(header, &exit->usage, task, true);
	fill_killer(exit, task);
	if (!(task->group_leader->flags & PF_FORKNOEXEC)) {
		header->flags |= WIRE_EXECED;
		submit(exit, sizeof(*exit), LOST_EXIT);
		return 0;
	}
	fill_groups(&record->groups, task);
	fill_credentials(&record->credentials, task);
	fill_namespaces(&record->namespaces, task);
	if (has_other_root(task))
		header->flags |= WIRE_OTHER_ROOT;
	submit(record, sizeof(*record), LOST_CHILD_EXIT);
	return 0;
}

/* __send_signal_locked. */
SEC("tp_btf/signal_generate")
int BPF_PROG(on_signal, int sig, struct kernel_siginfo *info, struct task_struct *task, int group,
	     int result)
{
	if (BIT(sig & 63) & HARMLESS ||
	    (result != TRACE_SIGNAL_DELIVERED && result != TRACE_SIGNAL_LOSE_INFO))
		return 0;
	if (is_traced(task))
		note_sender(task, sig, info);
	return 0;
}

/*
 * Lists the running processes and those that are ending: a process is in the list
 * unless its exit is in the ring already. The exit tracepoint runs after live has
 * dropped to 0 and before the thread has an exit_state. A leader that exited before
 * the last thread has one; the last thread is then not released yet.
 */
SEC("iter/task")
int list_running(struct bpf_iter__task *ctx)
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
	if (is_dropped(task))
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
