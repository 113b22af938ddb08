/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The exec record under construction, which paths and environment append to. */
#ifndef PROCSPAN_EXEC_H
#define PROCSPAN_EXEC_H

#include "kernel.bpf.h"
#include "wire.bpf.h"

/* The fields of struct mount that a walk needs, in the order they have there. */
struct mount_links {
	__u64 parent;
	__u64 mountpoint;
	__u64 root;
};

/* A walk from a file up to the root of its mount namespace. */
struct walk {
	__u64 mnt;
	struct mount_links links; /* of mnt */
	__u64 dentry;
	__u32 begin; /* of the path in exec_record.data */
	__u32 steps;
};

/* A key of rule_texts. */
struct rule_text {
	__u32 bits; /* of what follows that count */
	__u8 set;   /* index into rule_sets */
	char text[RULE_TEXT_MAX];
};

struct exec_record {
	struct wire_exec exec;
	/* take_variable reads a variable in full before it knows whether it fits. */
	char data[EXEC_DATA_MAX + VARIABLE_MAX + 1];
	__u32 end; /* of the used part of data */
	struct walk walk;
	struct rule_text text;
};

/* One exec record per CPU, indexed by CPU number. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the agent sets the number of possible CPUs */
	__type(key, __u32);
	__type(value, struct exec_record);
} scratch SEC(".maps");

#endif
