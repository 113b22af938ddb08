/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The search for environment variables. For functions that are not static see loop.bpf.h. */
#ifndef PROCSPAN_ENVIRONMENT_H
#define PROCSPAN_ENVIRONMENT_H

#include "kernel.bpf.h"
#include "wire.bpf.h"
#include "exec.bpf.h"
#include "loop.bpf.h"
#include "ring.bpf.h"

#define CHUNK	       2048
#define CHUNKS_MAX     1024
#define CHUNKS_AT_ONCE 32

/* The requested variables, each as "NAME=". */
const volatile char variables[VARIABLES_MAX][VARIABLE_NAME_MAX + 1] = {};
const volatile __u32 variables_count = 0;
const volatile __u64 variables_first = 0; /* bit c % 64: a name begins with c */
/* The two bytes that all "NAME="s begin with, each repeated eight times; or 0. */
const volatile __u64 variables_prefix[2] = {};
/* The largest size of each, as NAME=value and its NUL. */
const volatile __u32 variables_max[VARIABLES_MAX] = {};
const volatile __u32 traceparent = VARIABLES_MAX; /* the index of TRACEPARENT */
const volatile __u32 tracestate = VARIABLES_MAX;

struct search {
	__u64 begin; /* user address of the searched range: the environment, or the
			arguments with the environment right behind them */
	__u64 size;
	__u64 args;    /* bytes of arguments before the environment */
	__u64 address; /* user address of chunk; 0 for none */
	__u32 found;   /* bit i: variables[i] */
	__u32 len;     /* of the used part of chunk */
	/* With room for a name that begins right behind the chunk. */
	char chunk[CHUNK + VARIABLE_NAME_MAX + 1];
};

/* One search per CPU, like scratch. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct search);
} searches SEC(".maps");

/* Whether variable i stands at chunk[at]. */
__noinline int is_variable(__u64 at, __u64 i)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct search *search = bpf_map_lookup_elem(&searches, &cpu);

	if (!search || at > CHUNK || i >= VARIABLES_MAX)
		return false;
	for (__u32 j = 0; j <= VARIABLE_NAME_MAX; j++) {
		char c = variables[i][j];

		if (c != search->chunk[at + j])
			return false;
		if (c == '=')
			return true;
	}
	return false;
}

#define TRACEPARENT_MAX ((long)sizeof("TRACEPARENT=") + TRACEPARENT_SIZE)
#define INVALID		"invalid" /* replaces a malformed TRACEPARENT */

/* Whether the variable has the form version-trace-parent-flags. The agent checks the digits. */
static __always_inline bool is_traceparent(const char *value, long size)
{
	if (size < TRACEPARENT_MAX || value[2] != '-' || value[35] != '-' || value[52] != '-')
		return false;
	/* Version 00 ends here; later ones may go on after another dash. */
	return size == TRACEPARENT_MAX ||
	       (value[TRACEPARENT_SIZE] == '-' && (value[0] != '0' || value[1] != '0'));
}

/* Cuts a TRACEPARENT to what all versions have, and returns its new size. */
static __always_inline long cut_traceparent(char *variable, long size)
{
	char *value = variable + sizeof("TRACEPARENT=") - 1;

	if (size == sizeof("TRACEPARENT=")) /* empty */
		return size;
	if (is_traceparent(value, size)) {
		value[TRACEPARENT_SIZE] = 0;
		return TRACEPARENT_MAX;
	}
	__builtin_memcpy(value, INVALID, sizeof(INVALID));
	return sizeof("TRACEPARENT=") - 1 + sizeof(INVALID);
}

/* Appends the string at chunk[at] if it is a requested variable, the first of its name. */
__noinline int take_variable(__u64 at)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct exec_record *record = bpf_map_lookup_elem(&scratch, &cpu);
	struct search *search = bpf_map_lookup_elem(&searches, &cpu);
	__u32 i, end, max;
	long len;

	if (!record || !search || at > CHUNK || at >= search->len ||
	    search->address + at < search->begin + search->args)
		return 0;
	for (i = 0; i < variables_count && i < VARIABLES_MAX; i++)
		if (is_variable(at, i))
			break;
	if (i >= variables_count || i >= VARIABLES_MAX || search->found & 1U << i)
		return 0;
	search->found |= 1U << i;
	end = record->end;
	if (end > EXEC_DATA_MAX) /* never; for the verifier */
		return 0;
	max = variables_max[i];
	if (max > VARIABLE_MAX) /* never; for the verifier */
		return 0;
	len = bpf_probe_read_user_str(record->data + end, max + 1, (void *)(search->address + at));
	if (len < 0)
		count_loss(LOST_ENVIRONMENT);
	if (i == traceparent && len >= 0)
		len = cut_traceparent(record->data + end, len);
	if (i == tracestate && len > max) {
		count_loss(LOST_TRACESTATE);
		return 0;
	}
	if (len < 0 || len > max || record->exec.env_len + len > ENV_MAX) {
		record->exec.header.flags |= WIRE_ENV_CUT;
		return 0;
	}
	record->exec.env_len += len;
	record->end = end + len;
	return 0;
}

#define EACH_BYTE(c) (0x0101010101010101 * (__u64)(c))

/* 0x80 in each byte of w that is NUL, 0 in all others. */
static __always_inline __u64 nul_bytes(__u64 w)
{
	const __u64 low = EACH_BYTE(0x7f);

	if (!((w - EACH_BYTE(1)) & EACH_BYTE(0x80))) /* the fast path, for ASCII */
		return 0;
	return ~(((w & low) + low) | w | low);
}

/* The index of the first byte marked by nul_bytes. */
static __always_inline __u64 first_marked(__u64 marked)
{
	return ((marked & -marked) >> 7) * 0x0001020304050607 >> 56 & 7;
}

/* Checks the string at chunk[at], which may lie behind the used part. */
static __always_inline void check_string(struct search *search, __u64 at)
{
	__u8 first = search->chunk[at];

	if (variables_first >> (first & 63) & 1)
		take_variable(at);
}

/* Checks the strings behind the NULs marked in the word at i. */
__noinline int check_strings(__u64 i, __u64 marked)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct search *search = bpf_map_lookup_elem(&searches, &cpu);

	if (!search || i >= CHUNK)
		return 0;
	for (int j = 0; j < 8 && marked; j++) {
		check_string(search, i + first_marked(marked) + 1);
		marked &= marked - 1;
	}
	return 0;
}

/* Unaligned: both amd64 and arm64 allow it. */
static __always_inline __u64 word_at(const char *p)
{
	return *(const __u64 *)p;
}

/* Checks the strings behind the NULs of the 16 bytes at i. */
__noinline int check_16(__u64 i)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct search *search = bpf_map_lookup_elem(&searches, &cpu);

	if (!search || i >= CHUNK)
		return 0;
	check_strings(i, nul_bytes(word_at(search->chunk + i)));
	if (i + sizeof(__u64) < CHUNK)
		check_strings(i + sizeof(__u64),
			      nul_bytes(word_at(search->chunk + i + sizeof(__u64))));
	return 0;
}

/*
 * Returns 0 only if the prefix follows no NUL among the eight bytes at p. False
 * positives are possible: subtracting 1 sets the high bit of a NUL, with or without
 * a borrow, but also of a byte after a NUL and of bytes beyond ASCII. A branch per
 * NUL would cost more: processors cannot predict the distances between NULs.
 */
static __always_inline __u64 may_begin(const char *p, __u64 first, __u64 second)
{
	return (word_at(p) - EACH_BYTE(1)) & ((word_at(p + 1) ^ first) - EACH_BYTE(1)) &
	       ((word_at(p + 2) ^ second) - EACH_BYTE(1)) & EACH_BYTE(0x80);
}

/* Reads one chunk. Returns nonzero if it is unreadable. */
static __always_inline int read_chunk(struct search *search, __u64 offset)
{
	__u64 address = search->begin + offset, len = search->size - offset;

	if (len > sizeof(search->chunk))
		len = sizeof(search->chunk);
	if (bpf_probe_read_user(search->chunk, len, (void *)address))
		return -1;
	search->address = address;
	search->len = len;
	return 0;
}

/* Checks the strings that begin in a chunk, or right behind it. Returns nonzero if it is
 * unreadable. */
__noinline int search_chunk(__u64 offset)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct search *search = bpf_map_lookup_elem(&searches, &cpu);
	__u64 first, second;

	if (!search)
		return -1;
	if (search->address != search->begin + offset && read_chunk(search, offset))
		return -1;
	if (!offset) {
		if (search->args > CHUNK) /* never; for the verifier */
			return -1;
		check_string(search, search->args);
	}
	first = variables_prefix[0];
	second = variables_prefix[1];
	if (first) {
		for (__u64 i = 0; i < CHUNK && i < search->len; i += 2 * sizeof(__u64))
			if (may_begin(search->chunk + i, first, second) |
			    may_begin(search->chunk + i + sizeof(__u64), first, second))
				check_16(i);
		return 0;
	}
	for (__u64 i = 0; i < CHUNK && i < search->len; i += sizeof(__u64)) {
		__u64 marked = nul_bytes(word_at(search->chunk + i));

		if (marked & (marked - 1))
			check_strings(i, marked);
		else if (marked)
			check_string(search, i + first_marked(marked) + 1);
	}
	return 0;
}

/*
 * Begins a search. Where the environment follows the arguments immediately, as
 * execve lays them out, one read fetches both, which is cheaper than two. Returns
 * whether chunk begins with all arguments.
 */
static __always_inline bool begin_search(struct search *search, struct mm_struct *mm, __u64 args,
					 __u64 args_size)
{
	search->found = 0;
	search->address = 0;
	search->begin = args;
	search->args = args_size;
	search->size = mm->env_end - args;
	if (args + args_size == mm->env_start && args_size <= CHUNK / 2 &&
	    search->size <= CHUNKS_MAX * CHUNK && !read_chunk(search, 0))
		return true;
	search->begin = mm->env_start;
	search->args = 0;
	search->size = mm->env_end - mm->env_start;
	return false;
}

/* Searches some chunks, from offset on. */
__noinline int search_chunks(__u64 offset)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct search *search = bpf_map_lookup_elem(&searches, &cpu);

	for (int i = 0; i < CHUNKS_AT_ONCE && search; i++) {
		if (offset >= search->size)
			return AT_END;
		if (search_chunk(offset)) {
			count_loss(LOST_ENVIRONMENT);
			return CUT;
		}
		offset += CHUNK;
	}
	return GO_ON;
}

static __always_inline void search_environment(struct exec_record *record, struct search *search)
{
	int step = GO_ON;

	for (int i = 0; i < CHUNKS_MAX && step == GO_ON; i += CHUNKS_AT_ONCE)
		step = search_chunks((__u64)i * CHUNK);
	if (step == CUT || search->size > CHUNKS_MAX * CHUNK)
		record->exec.header.flags |= WIRE_ENV_CUT;
}

#endif
