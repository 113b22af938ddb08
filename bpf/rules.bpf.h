/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Dropped trees. A marked process is reported; what is forked below it is not, but
 * counted. The agent drops the marked process by the same rule, so that these programs
 * only save what it would throw away.
 *
 * A process is marked by the agent, or at an exec by the first of the rules here that
 * matches. Each rule has a bit. A rule that does not drop leaves the process to the
 * agent, and may match too much.
 */
#ifndef PROCSPAN_RULES_H
#define PROCSPAN_RULES_H

#include "kernel.bpf.h"
#include "wire.bpf.h"
#include "exec.bpf.h"
#include "ring.bpf.h"
#include "task.bpf.h"

const volatile bool rules_enabled = false; /* the agent may have rules */

enum tree_flag {
	TREE_MARKED = 0x1,  /* it is reported, its descendants are not */
	TREE_COUNTED = 0x2, /* not reported, and in tree_counts */
};

struct tree {
	__u32 counter; /* index into tree_counts */
	__u32 flags;
};

/* The processes that on_exec marked, and all that are dropped, until they exit. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct process_id);
	__type(value, struct tree);
} trees SEC(".maps");

/*
 * How many entries of trees have a pid with the same lowest bits: most are 0, which
 * saves the lookup. The agent removes entries without counting them, which costs one.
 */
struct slot_counts {
	__u32 used[TREE_SLOTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct slot_counts);
} tree_slots SEC(".maps");

/* The counters of the processes that the agent marked. It removes them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct process_id);
	__type(value, __u32);
} marks SEC(".maps");

/* How many processes that executed a program were not reported, by rule. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TREE_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} tree_counts SEC(".maps");

/* The names of the rules that the counters belong to, for the next agent. */
struct rule_name {
	char text[RULE_NAME_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TREE_COUNTERS);
	__type(key, __u32);
	__type(value, struct rule_name);
} tree_names SEC(".maps");

/*
 * The agent fills the set that is not active and all its texts and users, and then
 * makes it the active one. What the other set had is removed when that is filled next.
 */
struct rules_state {
	__u32 marks;  /* entries of the map */
	__u32 active; /* index into rule_sets, plus 1; 0 for no rules */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rules_state);
} rules_states SEC(".maps");

/* The bits of the rules that drop, and of those that match what an exec shows. */
struct rule_set {
	__u64 rules; /* all */
	__u64 drop;
	__u64 any_text; /* have no executable */
	__u64 any_user;
	__u64 with_terminal;
	__u64 without_terminal;
	__u32 counters[RULES_MAX];
	/* Bit c0 << 8 | c1: a text begins with these bytes. Most executables do not. */
	__u64 begin[65536 / 64];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct rule_set);
} rule_sets SEC(".maps");

/* The rules of an effective user. */
struct rule_user {
	__u32 set;
	__u32 user;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct rule_user);
	__type(value, __u64);
} rule_users SEC(".maps");

/*
 * The rules of an executable, by the beginning of its path, as wire_exec encodes paths,
 * or of the name that it was executed by. A name is a prefix that ends in its NUL. A
 * whole path ends in two.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct rule_text);
	__type(value, __u64);
} rule_texts SEC(".maps");

static __always_inline struct rules_state *rules_state(void)
{
	__u32 zero = 0;

	return rules_enabled ? bpf_map_lookup_elem(&rules_states, &zero) : NULL;
}

static __always_inline struct process_id process_of(struct task_struct *task)
{
	struct process_id id = {.pid = task->tgid};

	id.start = task->group_leader->start_boottime;
	return id;
}

/* The count of the entries of trees that a pid may have. */
static __always_inline __u32 *slot_of(__u32 pid)
{
	__u32 zero = 0;
	struct slot_counts *slots = bpf_map_lookup_elem(&tree_slots, &zero);

	return slots ? &slots->used[pid % TREE_SLOTS] : NULL;
}

/* The entry of a process in trees, or NULL. */
static __always_inline struct tree *tree_of(struct task_struct *task)
{
	struct process_id id = {};
	__u32 *used;

	if (!rules_enabled)
		return NULL;
	used = slot_of(task->tgid);
	if (!used || !*used)
		return NULL;
	id = process_of(task);
	return bpf_map_lookup_elem(&trees, &id);
}

/* Adds an entry to trees. Returns whether it is there. */
static __always_inline bool add_tree(struct process_id *id, struct tree *tree, __u32 loss)
{
	__u32 *used = slot_of(id->pid);
	/* Before 6.4 the functions of maps return an int. */
	int err;

	if (!used)
		return false;
	__sync_fetch_and_add(used, 1);
	err = bpf_map_update_elem(&trees, id, tree, BPF_NOEXIST);
	if (!err)
		return true;
	__sync_fetch_and_add(used, -1);
	if (err != -EEXIST)
		count_loss(loss);
	return err == -EEXIST;
}

/* Whether a process is not reported. */
static __always_inline bool is_dropped(struct task_struct *task)
{
	struct tree *tree = tree_of(task);

	return tree && !(tree->flags & TREE_MARKED);
}

/* Drops the child of a process that is marked or dropped. Returns whether it did. */
static __always_inline bool drop_child(struct task_struct *parent, struct task_struct *child)
{
	struct rules_state *state = rules_state();
	struct tree *above, tree = {};
	struct process_id id;

	if (!state)
		return false;
	above = tree_of(parent);
	if (above) {
		tree.counter = above->counter;
	} else {
		__u32 *counter;

		if (!state->marks)
			return false;
		id = process_of(parent);
		counter = bpf_map_lookup_elem(&marks, &id);
		if (!counter)
			return false;
		tree.counter = *counter;
	}
	id = process_of(child);
	return add_tree(&id, &tree, LOST_TREE);
}

/* Counts a process that is not reported, at its first exec. Returns whether it is one. */
static __always_inline bool drop_exec(struct task_struct *task)
{
	struct tree *tree = tree_of(task);
	__u32 counter;
	__u64 *count;

	if (!tree || tree->flags & TREE_MARKED)
		return false;
	if (tree->flags & TREE_COUNTED)
		return true;
	tree->flags |= TREE_COUNTED;
	counter = tree->counter;
	count = bpf_map_lookup_elem(&tree_counts, &counter);
	if (count)
		(*count)++;
	return true;
}

/* Removes a process that ends. Returns whether it is not reported. */
static __always_inline bool leave_tree(struct task_struct *task)
{
	struct tree *tree = tree_of(task);
	struct process_id id;
	bool marked;
	__u32 *used;

	if (!tree)
		return false;
	marked = tree->flags & TREE_MARKED;
	id = process_of(task);
	used = slot_of(id.pid);
	if (!bpf_map_delete_elem(&trees, &id) && used)
		__sync_fetch_and_add(used, -1);
	return !marked;
}

static __always_inline __u32 lowest(__u64 bits)
{
	__u32 n = 0;

	for (__u32 half = 32; half; half /= 2)
		if (!(bits & ((1ULL << half) - 1))) {
			bits >>= half;
			n += half;
		}
	return n;
}

static __always_inline bool may_match(struct rule_set *set, const char *text)
{
	__u32 bit = (__u8)text[0] << 8 | (__u8)text[1];

	return set->begin[bit / 64 % 1024] >> (bit % 64) & 1;
}

/* The rules that have a text which the key begins with. */
static __always_inline __u64 match_key(struct rule_text *key, __u32 set)
{
	__u64 *bits;

	key->bits = 8 * (sizeof(key->set) + sizeof(key->text));
	key->set = set;
	bits = bpf_map_lookup_elem(&rule_texts, key);
	return bits ? *bits : 0;
}

/* The rules that match the path, which ends at end in data, or the name it was executed by. */
static __always_inline __u64 match_text(struct exec_record *record, struct rule_set *set,
					__u32 which, __u32 end)
{
	struct rule_text *key = &record->text;
	const char *path = record->data + (record->exec.filename_len & (2 * FILENAME_MAX - 1));
	__u64 match = set->any_text;
	__u32 at;

	asm volatile("" : "+r"(end)); /* the verifier must see this check */
	if (end > PATHS_MAX)
		return match;
	record->data[end] = 0;
	if (may_match(set, path)) {
		bpf_probe_read_kernel(key->text, sizeof(key->text), path);
		match |= match_key(key, which);
	}
	if (may_match(set, record->exec.header.comm)) {
		at = bpf_probe_read_kernel_str(key->text, TASK_COMM_LEN, record->exec.header.comm);
		if (at >= TASK_COMM_LEN) /* the name may be longer */
			at = TASK_COMM_LEN - 1;
		key->text[at & (TASK_COMM_LEN - 1)] = TEXT_CUT;
		match |= match_key(key, which);
	}
	return match;
}

/* The rules that match the effective user. */
static __always_inline __u64 match_user(struct exec_record *record, struct rule_set *set,
					__u32 which)
{
	struct rule_user key = {.set = which, .user = record->exec.credentials.effective_user};
	__u64 *bits;

	if (record->exec.header.flags & WIRE_OTHER_ROOT) /* names may be other users' there */
		return set->any_user | ~set->drop;
	bits = bpf_map_lookup_elem(&rule_users, &key);
	return bits ? set->any_user | *bits : set->any_user;
}

/* Marks a process that executes a program if the first rule that matches drops it. */
static __noinline int apply_rules(struct exec_record *record, __u32 end)
{
	struct rules_state *state = rules_state();
	struct process_id id = {};
	struct tree tree = {.flags = TREE_MARKED};
	struct rule_set *set;
	__u64 match;
	__u32 which;

	/* A path without its beginning could seem whole; the agent marks deleted files. */
	if (!state || !state->active ||
	    record->exec.header.flags & (WIRE_PATH_CUT | WIRE_EXE_DELETED))
		return 0;
	which = state->active - 1;
	set = bpf_map_lookup_elem(&rule_sets, &which);
	if (!set)
		return 0;
	match = match_text(record, set, which, end);
	match &= record->exec.groups.terminal ? set->with_terminal : set->without_terminal;
	if (!(match & set->drop))
		return 0;
	match &= match_user(record, set, which);
	/* After env, the agent may know a script's name by which it keeps the process. */
	if (!(record->exec.header.flags & WIRE_FIRST_EXEC))
		match |= ~set->drop & set->rules;
	match &= -match; /* the first */
	if (!(match & set->drop))
		return 0;
	id.pid = record->exec.header.pid;
	id.start = record->exec.header.start;
	tree.counter = set->counters[lowest(match) % RULES_MAX];
	if (add_tree(&id, &tree, LOST_MARK))
		record->exec.header.flags |= WIRE_MARKED;
	return 0;
}

#endif
