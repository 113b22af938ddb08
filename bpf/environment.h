/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The search for environment variables. Its functions are not static: the
 * verifier then takes each on its own, once, for any argument, and not again for
 * each iteration of the loops it is called in.
 */
#ifndef PROCSPAN_ENVIRONMENT_H
#define PROCSPAN_ENVIRONMENT_H

/* Bounds of the search. */
#define VARIABLES_MAX  16
#define CHUNK	       2048
#define CHUNKS_MAX     1024
#define CHUNKS_AT_ONCE 32

/* The variables looked for, each as "NAME=". */
const volatile char variables[VARIABLES_MAX][VARIABLE_NAME_MAX + 1] = {};
const volatile __u32 variables_count = 0;
const volatile __u64 variables_first = 0; /* bit c % 64 is set where a name begins with c */
/* Eight times each of the two bytes that all names, with the '=', begin with; or 0. */
const volatile __u64 variables_prefix[2] = {};

/* A search for environment variables. */
struct search {
	__u64 begin; /* in user memory: of the arguments, if they are searched over, or the
			environment */
	__u64 size;
	__u64 args;    /* how many bytes of arguments stand before the environment */
	__u64 address; /* of the chunk; 0 for none */
	__u32 found;   /* bit i: variables[i] */
	__u32 len;     /* of what chunk holds */
	/* With room for a name that begins right after the chunk. */
	char chunk[CHUNK + VARIABLE_NAME_MAX + 1];
};

/* One search per CPU, like scratch. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct search);
} searches SEC(".maps");

/* Whether the string at chunk[at] is the variable i. */
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

/*
 * Appends the string at chunk[at] to the record, if it is a variable looked for
 * and the first of its name.
 */
__noinline int take_variable(__u64 at)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct exec_record *record = bpf_map_lookup_elem(&scratch, &cpu);
	struct search *search = bpf_map_lookup_elem(&searches, &cpu);
	__u32 i, end;
	long len;

	if (!record || !search || at > CHUNK || at >= search->len ||
	    search->address + at < search->begin + search->args)
		return 0;
	for (i = 0; i < variables_count && i < VARIABLES_MAX; i++)
		if (is_variable(at, i))
			break;
	if (i >= variables_count || search->found & 1 << i)
		return 0;
	search->found |= 1 << i;
	end = record->end;
	if (end > EXEC_DATA_MAX) /* never; the verifier wants to see it */
		return 0;
	len = bpf_probe_read_user_str(record->data + end, VARIABLE_MAX + 1,
				      (void *)(search->address + at));
	if (len < 0)
		count_loss(LOST_ENVIRONMENT);
	if (len < 0 || len > VARIABLE_MAX || record->exec.env_len + len > ENV_MAX) {
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

	if (!((w - EACH_BYTE(1)) & EACH_BYTE(0x80))) /* the soonest told, for ASCII */
		return 0;
	return ~(((w & low) + low) | w | low);
}

/* The index of the first byte that nul_bytes marked. */
static __always_inline __u64 first_marked(__u64 marked)
{
	return ((marked & -marked) >> 7) * 0x0001020304050607 >> 56 & 7;
}

/* Looks at the string that begins at chunk[at], or at what stands after the end. */
static __always_inline void look_at(struct search *search, __u64 at)
{
	__u8 first = search->chunk[at];

	if (variables_first >> (first & 63) & 1)
		take_variable(at);
}

/* Looks at the strings that begin after the NULs marked in the word at i. */
__noinline int look_at_several(__u64 i, __u64 marked)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct search *search = bpf_map_lookup_elem(&searches, &cpu);

	if (!search || i >= CHUNK)
		return 0;
	for (int j = 0; j < 8 && marked; j++) {
		look_at(search, i + first_marked(marked) + 1);
		marked &= marked - 1;
	}
	return 0;
}

/* Eight bytes at any address: the kernels of amd64 and arm64 have unaligned loads. */
static __always_inline __u64 word_at(const char *p)
{
	return *(const __u64 *)p;
}

/* Looks at the strings that begin after the NULs of the 16 bytes at i. */
__noinline int look_after(__u64 i)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct search *search = bpf_map_lookup_elem(&searches, &cpu);

	if (!search || i >= CHUNK)
		return 0;
	look_at_several(i, nul_bytes(word_at(search->chunk + i)));
	if (i + sizeof(__u64) < CHUNK)
		look_at_several(i + sizeof(__u64),
				nul_bytes(word_at(search->chunk + i + sizeof(__u64))));
	return 0;
}

/*
 * Whether the prefix may follow a NUL at one of the eight bytes at p. Never wrong
 * where it says no: one less than NUL has the high bit, with a borrow, too; what
 * follows a NUL, or is not ASCII, may have it as well. Here is no branch for each
 * NUL, whose distances no processor foresees.
 */
static __always_inline __u64 may_begin(const char *p, __u64 first, __u64 second)
{
	return (word_at(p) - EACH_BYTE(1)) & ((word_at(p + 1) ^ first) - EACH_BYTE(1)) &
	       ((word_at(p + 2) ^ second) - EACH_BYTE(1)) & EACH_BYTE(0x80);
}

/* Reads one chunk. Returns nonzero when it cannot be read. */
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

/*
 * Looks at the strings that begin in one chunk, or right after it. Returns
 * nonzero when the chunk cannot be read.
 */
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
		if (search->args > CHUNK) /* never; the verifier wants to see it */
			return -1;
		look_at(search, search->args);
	}
	first = variables_prefix[0];
	second = variables_prefix[1];
	if (first) {
		for (__u64 i = 0; i < CHUNK && i < search->len; i += 2 * sizeof(__u64))
			if (may_begin(search->chunk + i, first, second) |
			    may_begin(search->chunk + i + sizeof(__u64), first, second))
				look_after(i);
		return 0;
	}
	for (__u64 i = 0; i < CHUNK && i < search->len; i += sizeof(__u64)) {
		__u64 marked = nul_bytes(word_at(search->chunk + i));

		if (marked & (marked - 1))
			look_at_several(i, marked);
		else if (marked)
			look_at(search, i + first_marked(marked) + 1);
	}
	return 0;
}

/*
 * Begins a search, and reads the arguments, too, if they and the environment stand
 * as execve lays them out, one right before the other: one read costs less than
 * two. Returns whether chunk begins with all of the arguments.
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

/* Searches some chunks, from offset on. Returns AT_ROOT at the end of all. */
__noinline int search_chunks(__u64 offset)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct search *search = bpf_map_lookup_elem(&searches, &cpu);

	for (int i = 0; i < CHUNKS_AT_ONCE && search; i++) {
		if (offset >= search->size)
			return AT_ROOT;
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
