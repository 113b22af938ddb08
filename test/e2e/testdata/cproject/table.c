#include "wordfreq.h"

#include <stdlib.h>
#include <string.h>

void table_count(struct table *table, const char *word)
{
	struct entry *entry;
	size_t i;

	for (i = 0; i < table->used; i++) {
		if (strcmp(table->entries[i].word, word) == 0) {
			table->entries[i].count++;
			return;
		}
	}
	if (table->used == table->room) {
		table->room = table->room ? 2 * table->room : 64;
		table->entries = realloc(table->entries, table->room * sizeof *table->entries);
		if (!table->entries)
			abort();
	}
	entry = &table->entries[table->used++];
	entry->count = 1;
	entry->word = malloc(strlen(word) + 1);
	if (!entry->word)
		abort();
	strcpy(entry->word, word);
}

void table_free(struct table *table)
{
	while (table->used > 0)
		free(table->entries[--table->used].word);
	free(table->entries);
}
