/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The records that the BPF programs write and the agent reads. bpf2go generates the
 * Go side of these types from the object's BTF; a test compares the sizes. Padding
 * is explicit, so that no kernel memory leaks through a hole.
 */
#ifndef PROCSPAN_WIRE_H
#define PROCSPAN_WIRE_H

#include "kernel.bpf.h"

enum wire_kind {
	WIRE_FORK = 1,
	WIRE_EXEC = 2,
	WIRE_EXIT = 3,
	WIRE_CGROUP = 4,
};

/* Bits of wire_header.flags; each comment begins with the records that have it. */
enum wire_flag {
	WIRE_EXECED = 0x1,	 /* exit, snapshot: an exec since the fork */
	WIRE_FIRST_EXEC = 0x2,	 /* exec: the first since the fork */
	WIRE_ARGS_CUT = 0x4,	 /* exec: args is incomplete */
	WIRE_PATH_CUT = 0x8,	 /* exec: a path lacks its beginning */
	WIRE_EXE_DELETED = 0x10, /* exec: the executable is unlinked */
	WIRE_CWD_DELETED = 0x20, /* exec: the working directory is removed */
	WIRE_KTHREAD = 0x40,	 /* snapshot: a kernel thread */
	WIRE_SELF = 0x80,	 /* snapshot: the reader itself */
	WIRE_ENV_CUT = 0x100,	 /* exec: environment may lack variables */
	WIRE_OOM_KILLED = 0x200, /* exit: by the out-of-memory killer */
	WIRE_ENDING = 0x400,	 /* snapshot: no thread runs, the exit may not be in the ring yet */
	WIRE_OTHER_ROOT = 0x800, /* exec, exit, snapshot: its root directory is not the reader's */
	WIRE_RUN_DELAY = 0x1000, /* exec, exit: usage.run_delay is known */
	WIRE_PARENT_KNOWN = 0x2000,   /* exit: WIRE_PARENT_WAITING is known */
	WIRE_PARENT_WAITING = 0x4000, /* exit: a thread of the parent was blocked in wait */
	WIRE_MARKED = 0x8000, /* exec: descendants that it forks from now on are not reported */
};

/* Bounds of the data that follows a record, and of what the agent may set. */
enum wire_bound {
	FILENAME_MAX = 4096,
	NAME_ROOM = 256, /* NAME_MAX and its NUL */
	PATH_ROOM = 4096,
	COMPONENTS_MAX = 96,
	CGROUPS_MAX = 32, /* nested */
	PATHS_MAX = FILENAME_MAX + 2 * (PATH_ROOM + NAME_ROOM),
	ARGS_MAX = 32768,
	VARIABLES_MAX = 32,
	VARIABLE_NAME_MAX = 64,
	VARIABLE_MAX = VARIABLE_NAME_MAX + 1 + 8192 + 1, /* NAME=value and its NUL */
	TRACEPARENT_SIZE = 55, /* of version 00; later ones begin with it */
	TRACESTATE_MAX = 512,
	ENV_MAX = 16384,
	EXEC_DATA_MAX = PATHS_MAX + ARGS_MAX + ENV_MAX,
	RULES_MAX = 64, /* a bit each */
	RULE_TEXT_MAX = 127,
	RULE_NAME_MAX = 64,
	TREE_COUNTERS = 256,
	TREE_SLOTS = 8192,
	TEXT_CUT = 1, /* ends what is no whole path or name; stands in none */
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

/* The session, process group, terminal and cgroups of a task; see process.Groups. */
struct wire_groups {
	__u32 session;
	__u32 group;
	__u32 terminal; /* as new_encode_dev encodes it */
	__u32 pad;
	__u64 cgroup_v2;
	__u64 cgroup_v1;
};

struct wire_fork {
	struct wire_header header;
	struct wire_groups groups; /* of the forking task */
};

/* The users and groups a task acts as; see process.Credentials. */
struct wire_credentials {
	__u32 real_user;
	__u32 effective_user;
	__u32 saved_user;
	__u32 real_group;
	__u32 effective_group;
	__u32 saved_group;
};

/* Inode numbers, 0 for a namespace of the host's; see process.Namespaces. */
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

/* Resource usage of all threads of a process. */
struct wire_usage {
	__u64 utime; /* ns, in whole ticks */
	__u64 stime;
	__u64 runtime; /* ns, as the scheduler measured it: user and system together */
	__u64 maxrss;  /* pages */
	__u64 min_flt;
	__u64 maj_flt;
	__u64 nvcsw;
	__u64 nivcsw;
	__u64 read_bytes;
	__u64 write_bytes;
	__u64 rchar;
	__u64 wchar;
	__u64 run_delay; /* ns, runnable and waiting for a CPU */
};

struct wire_exit {
	struct wire_header header;
	struct wire_usage usage;
	__s32 status;	  /* as wait4 returns it */
	__u32 killer_pid; /* 0 unless a process's signal killed it */
	__u64 killer_start;
	__u64 killer_exec_id; /* as in wire_header, when it sent the signal */
	char killer_comm[16];
	__u64 oom_limit; /* pages, with WIRE_OOM_KILLED; 0 for none */
	__u64 image_rss; /* pages: the peak of the last image alone; 0 for unknown */
};

/* The exit of a process that had executed no program: without WIRE_EXECED. */
struct wire_fork_exit {
	struct wire_exit exit;
	struct wire_groups groups;
	struct wire_credentials credentials;
	struct wire_namespaces namespaces;
};

/* The path of a cgroup, as wire_exec encodes paths, follows. Only header.kind and .at are set. */
struct wire_cgroup {
	struct wire_header header;
	__u64 id;
	__u32 path_len;
	__u32 pad;
};

/*
 * The bytes of filename, executable, cwd, args and environment follow, in this
 * order. A path is its components from the last to the first, each ended by a NUL;
 * args are the arguments in order, each ended by a NUL; environment is the requested
 * variables that were found, each as NAME=value, whole, and ended by a NUL.
 */
struct wire_exec {
	struct wire_header header;
	struct wire_groups groups;
	struct wire_credentials credentials;
	struct wire_namespaces namespaces;
	struct wire_usage usage; /* until this exec */
	__u32 argc;
	__u32 filename_len;
	__u32 executable_len;
	__u32 cwd_len;
	__u32 args_len;
	__u32 env_len;
};

/* A running process, from the task iterator. header.at is when it was seen. */
struct wire_snapshot {
	struct wire_header header;
	struct wire_groups groups;
	struct wire_credentials credentials;
	struct wire_namespaces namespaces;
};

/* The reasons of losses; indices into the map losses. */
enum wire_loss {
	LOST_FORK,	   /* ring full */
	LOST_EXEC,	   /* ring full */
	LOST_EXIT,	   /* ring full: of a process that had executed a program */
	LOST_FILTER,	   /* map followed full: a descendant is not followed */
	LOST_SCRATCH,	   /* no scratch for this CPU: an exec is missing */
	LOST_ARGS,	   /* arguments unreadable; the exec is reported without them */
	LOST_ENVIRONMENT,  /* environment unreadable; the exec is reported without it */
	LOST_CGROUP,	   /* ring full: a cgroup's path; a later record brings it */
	LOST_CGROUP_DEPTH, /* a cgroup's path is too long or too deep */
	LOST_CHILD_EXIT,   /* ring full: of a process that had executed no program */
	LOST_ENDED,	   /* maps ended or leaders full: an exit may be missing or come twice */
	LOST_SIGNAL,	   /* map signals full: a sender is unknown */
	LOST_TRACESTATE,   /* longer than TRACESTATE_MAX; not in the record */
	LOST_USAGE,	   /* map exited_io full, or threads that were not counted */
	LOST_TREE,	   /* map trees full: a process below a dropped one is reported */
	LOST_MARK,	   /* map trees full: what is below a dropped process is reported */
	LOSS_MAX,
};

#endif
