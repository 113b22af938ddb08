/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The namespaces of a task, and its pid in its own pid namespace. */
#ifndef PROCSPAN_NAMESPACES_H
#define PROCSPAN_NAMESPACES_H

#include "kernel.bpf.h"
#include "wire.bpf.h"

/*
 * The host's namespaces: those of init_task, the parent of pid 1. Nearly every task
 * shares its nsproxy, and then has all of the host's namespaces in it.
 */
struct {
	__u64 nsproxy; /* 0 until found */
	struct wire_namespaces ids;
} host;

/* The namespaces in an nsproxy; a kernel may be built without some. */
#define EACH_PROXIED(DO)                                                                           \
	DO(cgroup, cgroup_ns, struct cgroup_namespace)                                             \
	DO(ipc, ipc_ns, struct ipc_namespace)                                                      \
	DO(mnt, mnt_ns, struct mnt_namespace)                                                      \
	DO(net, net_ns, struct net)                                                                \
	DO(time, time_ns, struct time_namespace)                                                   \
	DO(uts, uts_ns, struct uts_namespace)

#define GENERATIONS_MAX 64

/*
 * Finds init_task above a task. Where that is too far, the next call tries another
 * task; the list of running processes begins with the oldest. Not static; see
 * loop.bpf.h.
 */
__noinline int find_host(__u64 below)
{
	struct task_struct *task = (void *)below;
	struct nsproxy *proxy;

	for (int i = 0; i < GENERATIONS_MAX && BPF_CORE_READ(task, pid); i++)
		task = BPF_CORE_READ(task, real_parent);
	if (BPF_CORE_READ(task, pid))
		return 0;
	proxy = BPF_CORE_READ(task, nsproxy);
#define FIND(kind, pointer, type)                                                                  \
	if (bpf_core_field_exists(type, ns))                                                       \
		host.ids.kind = BPF_CORE_READ(proxy, pointer, ns.inum);
	EACH_PROXIED(FIND)
	host.ids.user = BPF_CORE_READ(task, real_cred, user_ns, ns.inum);
	barrier();
	host.nsproxy = (__u64)proxy;
	return 0;
}

/*
 * The pid of the thread group in its innermost pid namespace (pid_vnr), and that
 * namespace. CO-RE allows constant indices only.
 */
static __always_inline void fill_pid(struct wire_namespaces *ids, struct task_struct *task)
{
	struct pid *pid = task->signal->pids[PIDTYPE_TGID];
	char *upid = (char *)pid + bpf_core_field_offset(pid->numbers) +
		     pid->level * bpf_core_type_size(struct upid);
	struct pid_namespace *ns = NULL;
	int nr = pid->numbers[0].nr;

	if (pid->level) { /* level 0 is the host's */
		bpf_probe_read_kernel(&nr, sizeof(nr),
				      upid + bpf_core_field_offset(struct upid, nr));
		bpf_probe_read_kernel(&ns, sizeof(ns),
				      upid + bpf_core_field_offset(struct upid, ns));
		ids->pid = BPF_CORE_READ(ns, ns.inum);
	}
	ids->vpid = nr;
}

static __always_inline __u32 unless_host(__u32 host_inum, __u32 inum)
{
	return inum == host_inum ? 0 : inum;
}

/* Not inlined: the verifier then resumes the caller in one state, whatever the path. */
static __noinline int fill_namespaces(struct wire_namespaces *ids, struct task_struct *task)
{
	struct nsproxy *proxy = task->nsproxy; /* NULL once released */
	struct cred *cred = task->real_cred;

	__builtin_memset(ids, 0, sizeof(*ids));
	fill_pid(ids, task);
	if (!host.nsproxy) {
		__u64 number = 0; /* the only kind of argument of find_host */

		bpf_probe_read_kernel(&number, sizeof(number), &task);
		find_host(number);
		if (!host.nsproxy) /* nothing to compare with */
			return 0;
	}
	if (cred)
		ids->user = unless_host(host.ids.user, cred->user_ns->ns.inum);
	if (!proxy || (__u64)proxy == host.nsproxy)
		return 0;
#define FILL(kind, pointer, type)                                                                  \
	if (bpf_core_field_exists(type, ns))                                                       \
		ids->kind = unless_host(host.ids.kind, proxy->pointer->ns.inum);
	EACH_PROXIED(FILL)
	return 0;
}

#endif
