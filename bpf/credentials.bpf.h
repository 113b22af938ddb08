/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The users and groups a task acts as. */
#ifndef PROCSPAN_CREDENTIALS_H
#define PROCSPAN_CREDENTIALS_H

#include "kernel.bpf.h"
#include "wire.bpf.h"

__u64 reader_root; /* the agent's root directory when it last ran list_running */

static __always_inline void learn_reader(void)
{
	struct task_struct *reader = (void *)bpf_get_current_task();

	reader_root = (__u64)BPF_CORE_READ(reader, fs, root.dentry);
}

/* Whether user names may differ between a task and the agent. */
static __always_inline bool has_other_root(struct task_struct *task)
{
	struct fs_struct *fs = task->fs; /* NULL once released */

	return fs && (__u64)fs->root.dentry != reader_root;
}

/* real_cred holds the task's own credentials, even during override_creds. */
static __always_inline void fill_credentials(struct wire_credentials *c, struct task_struct *task)
{
	struct cred *cred = task->real_cred;

	if (cred) { /* always; for verifiers that know RCU pointers */
		c->real_user = cred->uid.val;
		c->effective_user = cred->euid.val;
		c->saved_user = cred->suid.val;
		c->real_group = cred->gid.val;
		c->effective_group = cred->egid.val;
		c->saved_group = cred->sgid.val;
	}
}

#endif
