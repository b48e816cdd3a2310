/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/query.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int is_plain(unsigned char c)
{
	return isalnum(c) || strchr("-._~:", c);
}

int query_add(char *path, size_t size, const char *name, const char *value)
{
	const size_t begin = strlen(path);
	size_t at = begin;
	char piece[4];
	int n;

	if (!value)
		return 0;
	n = snprintf(path + at, size - at, "%c%s=", strchr(path, '?') ? '&' : '?', name);
	if (n < 0 || (size_t)n >= size - at)
		goto full;
	at += (size_t)n;
	for (; *value; value++) {
		const unsigned char c = (unsigned char)*value;

		n = snprintf(piece, sizeof(piece), is_plain(c) ? "%c" : "%%%02X", c);
		if ((size_t)n >= size - at)
			goto full;
		memcpy(path + at, piece, (size_t)n + 1);
		at += (size_t)n;
	}
	return 0;
full:
	path[begin] = '\0';
	return -E2BIG;
}
