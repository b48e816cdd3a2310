/* SPDX-License-Identifier: Apache-2.0 */
#include "ebpf/object.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include <fender.skel.h>

#include "ebpf/capability.h"

enum {
	LOG_BYTES = 4 * 1024 * 1024, /* the verifier's; touched only when it refuses */
	MAX_MAPS = 32,               /* of the program */
};

struct bpf_object *object_open(void)
{
	const struct bpf_object_open_opts options = {.sz = sizeof(options),
						     .object_name = "fender"};
	size_t bytes = 0;
	const void *elf = fender_bpf__elf_bytes(&bytes);

	return bpf_object__open_mem(elf, bytes, &options);
}

int object_map_is_shared(const struct bpf_map *map)
{
	return !bpf_map__is_internal(map) && strcmp(bpf_map__name(map), "xsks_map") != 0;
}

int object_pin_path(char *path, const char *root, const struct bpf_map *map)
{
	int n = snprintf(path, OBJECT_PATH_BYTES, "%s/%s", root, bpf_map__name(map));

	return n < 0 || n >= OBJECT_PATH_BYTES ? -ENAMETOOLONG : 0;
}

static int same_shape(const struct bpf_map *map, const struct bpf_map_info *pinned)
{
	return pinned->type == (uint32_t)bpf_map__type(map) &&
	       pinned->key_size == bpf_map__key_size(map) &&
	       pinned->value_size == bpf_map__value_size(map) &&
	       pinned->map_flags == bpf_map__map_flags(map);
}

int object_reuse(struct bpf_map *map, const char *root)
{
	char path[OBJECT_PATH_BYTES];
	struct bpf_map_info info = {0};
	uint32_t bytes = sizeof(info);
	int rc = object_pin_path(path, root, map);
	int fd;

	if (rc)
		return rc;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &bytes))
		rc = -errno;
	else if (!same_shape(map, &info))
		rc = -ESTALE;
	else if (bpf_map__set_max_entries(map, info.max_entries) || bpf_map__reuse_fd(map, fd))
		rc = errno ? -errno : -EINVAL;
	close(fd); /* libbpf has a duplicate */
	return rc;
}

int object_bind(struct bpf_object *object, const char *root, const char **name)
{
	struct bpf_map *map;
	int rc;

	if (name)
		*name = NULL;
	bpf_object__for_each_map(map, object)
	{
		if (!object_map_is_shared(map))
			continue;
		rc = object_reuse(map, root);
		if (!rc)
			continue;
		if (name)
			*name = bpf_map__name(map);
		return rc;
	}
	return 0;
}

/*
 * The last line of the verifier's log that is not statistics; it is cut off there. "" when the
 * kernel did not come so far.
 */
static const char *last_line(char *log)
{
	char *end = log + strlen(log);

	while (end > log) {
		char *line;

		*end = '\0';
		line = strrchr(log, '\n');
		line = line ? line + 1 : log;
		if (*line && strncmp(line, "processed ", 10) != 0)
			return line;
		end = line > log ? line - 1 : log;
	}
	return "";
}

const char *object_missing_capability(void)
{
	static const struct capability needed[] = {
		{CAP_BPF, CAP_SYS_ADMIN, "CAP_BPF"},
		{CAP_NET_ADMIN, CAP_NET_ADMIN, "CAP_NET_ADMIN"},
		{CAP_PERFMON, CAP_SYS_ADMIN, "CAP_PERFMON"}, /* it computes with pointers */
	};

	return capability_missing(needed, sizeof(needed) / sizeof(needed[0]));
}

static void explain(int rc, char *log, char *why, size_t why_size)
{
	const char *missing = object_missing_capability();
	const char *line = last_line(log);

	if ((rc == -EPERM || rc == -EACCES) && missing)
		snprintf(why, why_size,
			 "the XDP program cannot be loaded: %s is missing (CAP_BPF, CAP_NET_ADMIN "
			 "and CAP_PERFMON are needed)",
			 missing);
	else
		snprintf(why, why_size, "the kernel refuses the XDP program: %.180s",
			 *line ? line : strerror(-rc));
}

int object_load(struct bpf_object *object, char *why, size_t why_size)
{
	struct bpf_program *program = bpf_object__next_program(object, NULL);
	char *log = calloc(1, LOG_BYTES);
	int rc;

	if (log && program)
		bpf_program__set_log_buf(program, log, LOG_BYTES);
	rc = bpf_object__load(object);
	if (rc)
		explain(rc, log ? log : (char[1]){0}, why, why_size);
	free(log); /* libbpf writes to it while it loads only */
	return rc;
}

/* FNV-1a, once: it takes half a millisecond of a restart. */
uint64_t object_build(void)
{
	static uint64_t known;
	uint64_t hash = 0xcbf29ce484222325u;
	size_t bytes = 0;
	const uint8_t *elf = fender_bpf__elf_bytes(&bytes);

	if (known)
		return known;
	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ elf[i]) * 0x100000001b3u;
	known = hash;
	return hash;
}

static int map_id(int fd, uint32_t *id)
{
	struct bpf_map_info info = {0};
	uint32_t bytes = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &bytes))
		return -errno;
	*id = info.id;
	return 0;
}

/* Whether the map behind @fd, which is closed, is one of @ids. */
static int takes_one_of(int fd, const uint32_t *ids, uint32_t count)
{
	uint32_t id = 0, i = count;

	if (fd >= 0 && map_id(fd, &id) == 0)
		for (i = 0; i < count && ids[i] != id;)
			i++;
	if (fd >= 0)
		close(fd);
	return i < count;
}

int object_is_bound(int program_fd, int sockets_fd, const char *root)
{
	uint32_t ids[MAX_MAPS] = {0};
	struct bpf_prog_info info = {.map_ids = (uintptr_t)ids, .nr_map_ids = MAX_MAPS};
	uint32_t bytes = sizeof(info);
	char path[OBJECT_PATH_BYTES];
	struct bpf_object *object;
	struct bpf_map *map;
	int bound;

	if (bpf_obj_get_info_by_fd(program_fd, &info, &bytes) || info.nr_map_ids > MAX_MAPS)
		return 0;
	object = object_open();
	bound = object && takes_one_of(dup(sockets_fd), ids, info.nr_map_ids);
	bpf_object__for_each_map(map, object)
	{
		if (!bound || !object_map_is_shared(map))
			continue;
		bound = object_pin_path(path, root, map) == 0 &&
			takes_one_of(bpf_obj_get(path), ids, info.nr_map_ids);
	}
	bpf_object__close(object);
	return bound;
}
