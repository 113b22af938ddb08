/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Who a task acts as. */
#ifndef PROCSPAN_CREDENTIALS_H
#define PROCSPAN_CREDENTIALS_H

__u64 reader_root; /* the agent's root directory, as of its last look at the living */

static __always_inline void learn_reader(void)
{
	struct task_struct *reader = (void *)bpf_get_current_task();

	reader_root = (__u64)BPF_CORE_READ(reader, fs, root.dentry);
}

/* Whether the names of users that the agent knows may be others for a task. */
static __always_inline bool has_other_root(struct task_struct *task)
{
	struct fs_struct *fs = task->fs; /* NULL once it has let go of it */

	return fs && (__u64)fs->root.dentry != reader_root;
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
}

#endif
