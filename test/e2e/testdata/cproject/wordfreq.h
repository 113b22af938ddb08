/* wordfreq counts the words of its input and prints the most frequent. */
#ifndef WORDFREQ_H
#define WORDFREQ_H

#include <stddef.h>
#include <stdio.h>

struct entry {
	char *word;
	size_t count;
};

struct table {
	struct entry *entries;
	size_t used, room;
};

/* text.c: reads the next word, lower case; 0 at the end of the input. */
int next_word(FILE *in, char *word, size_t size);

/* table.c: counts one more of word; frees what the table holds. */
void table_count(struct table *table, const char *word);
void table_free(struct table *table);

/* order.c: sorts by count, then by word. */
void table_sort(struct table *table);

/* report.c: prints the first n entries. */
void report(const struct table *table, size_t n, FILE *out);

#endif
