#include "wordfreq.h"

#include <ctype.h>

int next_word(FILE *in, char *word, size_t size)
{
	size_t used = 0;
	int c;

	while ((c = getc(in)) != EOF) {
		if (isalpha(c)) {
			if (used + 1 < size)
				word[used++] = (char)tolower(c);
		} else if (used > 0) {
			break;
		}
	}
	word[used] = '\0';
	return used > 0;
}
