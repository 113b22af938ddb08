/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Who a task acts as. */
#ifndef PROCSPAN_CREDENTIALS_H
#define PROCSPAN_CREDENTIALS_H

/*
 * pid_vnr of the thread group: the pid in the innermost namespace. CO-RE takes no
 * index that is not constant.
 */
static __always_inline __u32 vpid(struct task_struct *task)
{
	struct pid *pid = task->signal->pids[PIDTYPE_TGID];
	__u64 upid =
	    bpf_core_field_offset(pid->numbers) + pid->level * bpf_core_type_size(struct upid);
	int nr = pid->numbers[0].nr;

	if (pid->level)
		bpf_probe_read_kernel(&nr, sizeof(nr),
				      (char *)pid + upid + bpf_core_field_offset(struct upid, nr));
	return nr;
}

/* real_cred: what others see, even while the task acts for somebody (override_creds). */
static __always_inline void fill_credentials(struct wire_credentials *c, struct task_struct *task)
{
	struct cred *cred = task->real_cred;

	if (cred) { /* always; a verifier that knows it is under RCU wants to see it */
		c->real_user = cred->uid.val;
		c->effective_user = cred->euid.val;
		c->saved_user = cred->suid.val;
		c->real_group = cred->gid.val;
		c->effective_group = cred->egid.val;
		c->saved_group = cred->sgid.val;
	}
	c->vpid = vpid(task);
	c->pad = 0;
}

#endif
