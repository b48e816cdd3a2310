/* SPDX-License-Identifier: Apache-2.0 */
#include "ebpf/object.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include <fender.skel.h>

#include "ebpf/maps.h"

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

/* Where @variable lies in .rodata, or -1. */
static int64_t rodata_offset(const struct bpf_object *object, const char *variable)
{
	const struct btf *btf = bpf_object__btf(object);
	int32_t id = btf ? btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC) : -1;
	const struct btf_type *section;
	const struct btf_var_secinfo *at;

	if (id < 0)
		return -1;
	section = btf__type_by_id(btf, (uint32_t)id);
	at = btf_var_secinfos(section);
	for (unsigned int i = 0; i < btf_vlen(section); i++) {
		const struct btf_type *type = btf__type_by_id(btf, at[i].type);

		if (!strcmp(btf__name_by_offset(btf, type->name_off), variable))
			return at[i].offset;
	}
	return -1;
}

static struct bpf_map *rodata_map(const struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) if (bpf_map__is_internal(map) &&
						  strstr(bpf_map__name(map), ".rodata")) return map;
	return NULL;
}

static int set_interface(struct bpf_object *object, uint32_t interface)
{
	int64_t offset = rodata_offset(object, "fender_interface");
	struct bpf_map *map = rodata_map(object);
	const void *was;
	size_t bytes = 0;
	char *value;
	int rc;

	was = map ? bpf_map__initial_value(map, &bytes) : NULL;
	if (!was || offset < 0 || bytes < sizeof(interface) ||
	    (size_t)offset > bytes - sizeof(interface) || interface >= LIMIT_INTERFACES)
		return -EINVAL;
	value = malloc(bytes);
	if (!value)
		return -ENOMEM;
	memcpy(value, was, bytes);
	memcpy(value + offset, &interface, sizeof(interface));
	rc = bpf_map__set_initial_value(map, value, bytes);
	free(value);
	return rc;
}

int object_bind(struct bpf_object *object, const char *root, uint32_t interface, const char **name)
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
	return set_interface(object, interface);
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
	static const struct {
		unsigned int bit;
		unsigned int stands_in; /* another one that is enough */
		const char *name;
	} needed[] = {
		{CAP_BPF, CAP_SYS_ADMIN, "CAP_BPF"},
		{CAP_NET_ADMIN, CAP_NET_ADMIN, "CAP_NET_ADMIN"},
		{CAP_PERFMON, CAP_SYS_ADMIN, "CAP_PERFMON"}, /* it computes with pointers */
	};
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};
	uint64_t have;

	if (syscall(SYS_capget, &header, data))
		return NULL;
	have = (uint64_t)data[1].effective << 32 | data[0].effective;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!((have >> needed[i].bit | have >> needed[i].stands_in) & 1))
			return needed[i].name;
	return NULL;
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

/* FNV-1a. */
uint64_t object_build(void)
{
	uint64_t hash = 0xcbf29ce484222325u;
	size_t bytes = 0;
	const uint8_t *elf = fender_bpf__elf_bytes(&bytes);

	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ elf[i]) * 0x100000001b3u;
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
