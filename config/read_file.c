/* SPDX-License-Identifier: Apache-2.0 */
#include "config/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

FILE *open_regular(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	FILE *file = NULL;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0) {
		if (S_ISREG(st.st_mode))
			file = fdopen(fd, "r");
		else
			errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	}
	if (file == NULL) {
		int error = errno;

		close(fd);
		errno = error;
	}
	return file;
}

const char *read_file_error(int error)
{
	/* ENXIO: a socket, or a device that nothing drives. */
	return error == EINVAL || error == ENXIO ? "it is no regular file" : strerror(error);
}
