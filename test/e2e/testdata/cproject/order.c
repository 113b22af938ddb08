#include "wordfreq.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return strcmp(a->word, b->word);
}

void table_sort(struct table *table)
{
	qsort(table->entries, table->used, sizeof *table->entries, compare);
}
