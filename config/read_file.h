/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENDER_CONFIG_READ_FILE_H
#define FENDER_CONFIG_READ_FILE_H

#include <stddef.h>
#include <stdio.h>

/*
 * The whole file, malloc'ed, or, of one longer than @most bytes, more than @most of them. NULL
 * with errno set.
 */
char *read_bounded(FILE *file, size_t most, size_t *bytes);

/*
 * A regular file to read from, for whoever must not wait: a pipe or a device could keep its reader
 * for ever. NULL with errno set.
 */
FILE *open_regular(const char *path);

/* What the errno of the two above says, to stand behind "cannot be read: ". */
const char *read_file_error(int error);

#endif
