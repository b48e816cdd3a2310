/* SPDX-License-Identifier: Apache-2.0 */
#include "config/suggest.h"

#include <ctype.h>
#include <string.h>

enum { SUGGEST_MAX = 63 };

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int same_letter(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment, three rows. */
size_t suggest_distance(const char *a, const char *b)
{
	size_t rows[3][SUGGEST_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];
	size_t n = strnlen(a, SUGGEST_MAX), m = strnlen(b, SUGGEST_MAX);

	for (size_t j = 0; j <= m; j++)
		above[j] = j;
	memset(before, 0, sizeof(rows[0]));
	for (size_t i = 1; i <= n; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t change = above[j - 1] + (same_letter(a[i - 1], b[j - 1]) ? 0 : 1);

			row[j] = least(change, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
			    same_letter(a[i - 2], b[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = above;
		above = row;
		row = spare;
	}
	return above[m];
}

void suggest_start(struct suggestion *s, const char *found)
{
	size_t letters = strnlen(found, SUGGEST_MAX + 1);

	s->found = found;
	s->best = NULL;
	/* Near enough: a third of the letters differ, or one of a short word. */
	s->best_distance = (letters < 3 ? 1 : letters / 3) + 1;
}

void suggest_consider(struct suggestion *s, const char *known)
{
	size_t distance;

	if (strnlen(s->found, SUGGEST_MAX + 1) > SUGGEST_MAX ||
	    strnlen(known, SUGGEST_MAX + 1) > SUGGEST_MAX)
		return;
	distance = suggest_distance(s->found, known);
	if (distance < s->best_distance && distance < strlen(known)) {
		s->best = known;
		s->best_distance = distance;
	}
}
