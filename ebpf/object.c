/* SPDX-License-Identifier: Apache-2.0 */
#include "ebpf/object.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include <fender.skel.h>

#include "ebpf/maps.h"

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
