/* SPDX-License-Identifier: Apache-2.0 */
#include "config/read_file.h"

#include <stdlib.h>

char *read_bounded(FILE *file, size_t most, size_t *bytes)
{
	size_t capacity = 64 * 1024;
	char *text = malloc(capacity);

	*bytes = 0;
	while (text != NULL) {
		char *larger;

		*bytes += fread(text + *bytes, 1, capacity - *bytes, file);
		if (*bytes < capacity || capacity > most)
			break;
		capacity *= 2;
		larger = realloc(text, capacity);
		if (larger == NULL)
			free(text);
		text = larger;
	}
	if (text != NULL && ferror(file)) {
		free(text);
		return NULL;
	}
	return text;
}
