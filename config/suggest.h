/* SPDX-License-Identifier: Apache-2.0 */
/* Guessing what a misspelt word was meant to be. */
#ifndef FENDER_CONFIG_SUGGEST_H
#define FENDER_CONFIG_SUGGEST_H

#include <stddef.h>

/* Running search for the nearest known word. */
struct suggestion {
	const char *found;
	const char *best; /* NULL: nothing is near enough */
	size_t best_distance;
};

/* Words of more than 63 bytes are never near. */
void suggest_start(struct suggestion *s, const char *found);
void suggest_consider(struct suggestion *s, const char *known);

/*
 * Edit distance: insertions, deletions, replacements and swaps of neighbours, letter case
 * ignored. Both words at most 63 bytes; O(product of the lengths).
 */
size_t suggest_distance(const char *a, const char *b);

#endif
