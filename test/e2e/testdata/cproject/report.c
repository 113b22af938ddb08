#include "version.h"
#include "wordfreq.h"

void report(const struct table *table, size_t n, FILE *out)
{
	size_t i;

	fprintf(out, "wordfreq %s (%s)\n", VERSION, RELEASE);
	for (i = 0; i < n && i < table->used; i++)
		fprintf(out, "%6zu %s\n", table->entries[i].count, table->entries[i].word);
}
