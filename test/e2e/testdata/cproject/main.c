#include "wordfreq.h"

int main(void)
{
	struct table table = {0};
	char word[64];

	while (next_word(stdin, word, sizeof word))
		table_count(&table, word);
	table_sort(&table);
	report(&table, 10, stdout);
	table_free(&table);
	return 0;
}
