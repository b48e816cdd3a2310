/* SPDX-License-Identifier: Apache-2.0 */
#include "ebpf/loaded.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "ebpf/object.h"

#define PREFIX "loaded-"

static int pin_path(char *path, const char *root, const char *suffix)
{
	int n = snprintf(path, OBJECT_PATH_BYTES, "%s/" PREFIX "%016llx%s", root,
			 (unsigned long long)object_build(), suffix);

	return n < 0 || n >= OBJECT_PATH_BYTES ? -ENAMETOOLONG : 0;
}

static void close_both(struct attach_program *program)
{
	if (program->program_fd >= 0)
		close(program->program_fd);
	if (program->sockets_fd >= 0)
		close(program->sockets_fd);
	*program = (struct attach_program){-1, -1};
}

int loaded_take(struct attach_program *program, const struct bpf_object *object)
{
	const struct bpf_program *p = bpf_object__next_program(object, NULL);
	int sockets = bpf_object__find_map_fd_by_name(object, "xsks_map");

	program->program_fd = fcntl(bpf_program__fd(p), F_DUPFD_CLOEXEC, 0);
	program->sockets_fd = fcntl(sockets, F_DUPFD_CLOEXEC, 0);
	if (program->program_fd >= 0 && program->sockets_fd >= 0)
		return 0;
	close_both(program);
	return -EMFILE;
}

void loaded_pin(const char *root, const struct bpf_object *object)
{
	const struct bpf_program *p = bpf_object__next_program(object, NULL);
	int sockets = bpf_object__find_map_fd_by_name(object, "xsks_map");
	char program_path[OBJECT_PATH_BYTES], sockets_path[OBJECT_PATH_BYTES];

	if (loaded_unpin(root) || pin_path(program_path, root, "") ||
	    pin_path(sockets_path, root, "-sockets"))
		return;
	if (bpf_obj_pin(sockets, sockets_path) == 0 &&
	    bpf_obj_pin(bpf_program__fd(p), program_path) != 0)
		unlink(sockets_path);
}

int loaded_open(const char *root, struct attach_program *program)
{
	char path[OBJECT_PATH_BYTES];

	*program = (struct attach_program){-1, -1};
	if (pin_path(path, root, ""))
		return -ENOENT;
	program->program_fd = bpf_obj_get(path);
	if (program->program_fd >= 0 && pin_path(path, root, "-sockets") == 0)
		program->sockets_fd = bpf_obj_get(path);
	if (program->sockets_fd >= 0 &&
	    object_is_bound(program->program_fd, program->sockets_fd, root))
		return 0;
	close_both(program);
	return -ENOENT;
}

int loaded_unpin(const char *root)
{
	DIR *dir = opendir(root);
	const struct dirent *entry;
	int rc = 0;

	if (!dir)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	while ((entry = readdir(dir)) != NULL) {
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0) && errno != ENOENT)
			rc = -errno;
	}
	closedir(dir);
	return rc;
}
