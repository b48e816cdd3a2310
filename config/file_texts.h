/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts of the endpoint files a policy names, by path. A compilation leaves what it read, and a
 * later one may be given texts to take instead of what is on the disk: so one file with errors
 * holds back nobody but itself.
 */
#ifndef FENDER_CONFIG_FILE_TEXTS_H
#define FENDER_CONFIG_FILE_TEXTS_H

#include <stddef.h>

struct file_text {
	char *path;
	char *text; /* not NUL-terminated; NULL: it could not be read */
	size_t bytes;
};

struct file_texts {
	struct file_text *all;
	size_t count;
};

/* The text of @path, or NULL. */
const struct file_text *file_texts_find(const struct file_texts *texts, const char *path);

/* Add a copy; one that is there already stays. @text may be NULL. Return: 0, -ENOMEM. */
int file_texts_add(struct file_texts *texts, const char *path, const char *text, size_t bytes);

/* Leaves it empty. */
void file_texts_free(struct file_texts *texts);

#endif
