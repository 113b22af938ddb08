/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What travels from the kernel to the agent. The Go side of these structs is
 * generated from this object's BTF; a test holds both sizes together.
 * Padding is explicit, so that no kernel memory leaks through a hole.
 */
#ifndef PROCSPAN_WIRE_H
#define PROCSPAN_WIRE_H

enum wire_kind {
	WIRE_FORK = 1,
	WIRE_EXEC = 2,
	WIRE_EXIT = 3,
	WIRE_NAME = 4,
};

/* Bits of wire_header.flags */
enum wire_flag {
	WIRE_EXECED = 0x1,	 /* exit, snapshot: an exec since the fork */
	WIRE_FIRST_EXEC = 0x2,	 /* exec: the first since the fork */
	WIRE_ARGS_CUT = 0x4,	 /* exec: args is not whole */
	WIRE_PATH_CUT = 0x8,	 /* exec: a path lacks its beginning */
	WIRE_EXE_DELETED = 0x10, /* exec: the executable has no name any more */
	WIRE_CWD_DELETED = 0x20, /* exec: the working directory was removed */
	WIRE_KTHREAD = 0x40,	 /* snapshot: a kernel thread */
	WIRE_SELF = 0x80,	 /* snapshot: the reader itself */
	WIRE_ENV_CUT = 0x100,	 /* exec: environment may lack variables */
	WIRE_OOM_KILLED = 0x200, /* exit: by the out-of-memory killer */
	WIRE_ENDING =
	    0x400, /* snapshot: no thread runs any more, but the exit may not be told yet */
	WIRE_OTHER_ROOT = 0x800, /* exec, snapshot: its root directory is not the reader's */
};

struct wire_header {
	__u32 kind;
	__u32 flags;
	__u64 at; /* ns since boot */
	__u64 start;
	__u64 parent_start;
	__u64 exec_id; /* task_struct.self_exec_id of the leader */
	__u32 pid;
	__u32 parent_pid;
	char comm[16];
};

/* What a task belongs to; see process.Groups. */
struct wire_groups {
	__u32 session;
	__u32 group;
	__u32 terminal; /* as new_encode_dev has it */
	__u32 pad;
	__u64 cgroup_v2;
	__u64 cgroup_v1;
};

struct wire_fork {
	struct wire_header header;
	struct wire_groups groups; /* of the task that forks */
};

/* Who a task acts as; see process.Credentials. */
struct wire_credentials {
	__u32 real_user;
	__u32 effective_user;
	__u32 saved_user;
	__u32 real_group;
	__u32 effective_group;
	__u32 saved_group;
};

/*
 * What a task sees of the system: the inode numbers of its namespaces, 0 for those
 * that are the host's; see process.Namespaces.
 */
struct wire_namespaces {
	__u32 cgroup;
	__u32 ipc;
	__u32 mnt;
	__u32 net;
	__u32 pid;
	__u32 time;
	__u32 user;
	__u32 uts;
	__u32 vpid; /* the pid in the task's own pid namespace */
	__u32 pad;
};

/* What all threads of a process used. */
struct wire_usage {
	__u64 utime; /* ns, in whole ticks */
	__u64 stime;
	__u64 runtime; /* ns, what the scheduler measured: user and system together */
	__u64 maxrss;  /* pages */
	__u64 min_flt;
	__u64 maj_flt;
	__u64 nvcsw;
	__u64 nivcsw;
	__u64 read_bytes;
	__u64 write_bytes;
	__u64 rchar;
	__u64 wchar;
};

struct wire_exit {
	struct wire_header header;
	struct wire_usage usage;
	__s32 status;	  /* as wait4 returns it */
	__u32 killer_pid; /* 0 when nobody's signal killed it */
	__u64 killer_start;
	__u64 killer_exec_id; /* as in wire_header, when it sent the signal */
	char killer_comm[16];
	__u64 oom_limit; /* pages, with WIRE_OOM_KILLED; 0 for none */
};

/* A cgroup's path, as wire_exec has paths, follows. Of the header, kind and at are set. */
struct wire_name {
	struct wire_header header;
	__u64 cgroup;
	__u32 path_len;
	__u32 pad;
};

/*
 * Followed by the bytes of filename, executable, cwd, args and environment, in
 * this order. A path is its components from the last to the first, each ended by
 * a NUL; args are the arguments in order, each ended by a NUL; environment is
 * the variables that were looked for and found, NAME=value, each whole and ended
 * by a NUL.
 */
struct wire_exec {
	struct wire_header header;
	struct wire_groups groups;
	struct wire_credentials credentials;
	struct wire_namespaces namespaces;
	__u32 argc;
	__u32 filename_len;
	__u32 executable_len;
	__u32 cwd_len;
	__u32 args_len;
	__u32 env_len;
};

/* One living process, out of the task iterator. header.at is when it was seen. */
struct wire_snapshot {
	struct wire_header header;
	struct wire_groups groups;
	struct wire_credentials credentials;
	struct wire_namespaces namespaces;
};

/* Why something is missing; index into the map losses. */
enum wire_loss {
	LOST_FORK,	    /* ring full */
	LOST_EXEC,	    /* ring full */
	LOST_EXIT,	    /* ring full: of a process that had executed a program */
	LOST_FILTER,	    /* map followed full: a descendant is not followed */
	LOST_SCRATCH,	    /* no scratch for this CPU: an exec is missing */
	LOST_ARGS,	    /* arguments not readable; the exec itself is there */
	LOST_ENVIRONMENT,   /* environment not readable; the exec itself is there */
	LOST_NAME,	    /* ring full: a cgroup's path; it comes before a later record */
	LOST_NAME_TOO_LONG, /* a cgroup's path is too long, or too deep */
	LOST_CHILD_EXIT,    /* ring full: of a process that had executed none */
	LOSS_MAX,
};

#endif
