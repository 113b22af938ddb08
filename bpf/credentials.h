/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Who a task acts as. */
#ifndef PROCSPAN_CREDENTIALS_H
#define PROCSPAN_CREDENTIALS_H

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
