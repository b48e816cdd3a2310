/* SPDX-License-Identifier: Apache-2.0 */
#include "config/file_texts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct file_text *file_texts_find(const struct file_texts *texts, const char *path)
{
	for (size_t i = 0; i < texts->count; i++)
		if (strcmp(texts->all[i].path, path) == 0)
			return &texts->all[i];
	return NULL;
}

static void free_one(struct file_text *one)
{
	free(one->path);
	free(one->text);
}

int file_texts_add(struct file_texts *texts, const char *path, const char *text, size_t bytes)
{
	struct file_text one = {.bytes = bytes};
	struct file_text *all;

	if (file_texts_find(texts, path) != NULL)
		return 0;
	one.path = strdup(path);
	if (text != NULL) {
		one.text = malloc(bytes + 1);
		if (one.text != NULL)
			memcpy(one.text, text, bytes);
	}
	all = realloc(texts->all, (texts->count + 1) * sizeof(*all));
	if (all != NULL)
		texts->all = all;
	if (all == NULL || one.path == NULL || (text != NULL && one.text == NULL)) {
		free_one(&one);
		return -ENOMEM;
	}
	texts->all[texts->count++] = one;
	return 0;
}

void file_texts_free(struct file_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free_one(&texts->all[i]);
	free(texts->all);
	*texts = (struct file_texts){0};
}
