/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/limits.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "controlplane/limits_plan.h"
#include "controlplane/limits_private.h"
#include "ebpf/loaded.h"
#include "ebpf/object.h"
#include "shm/why.h"

enum {
	ENTRIES_PER_CPU = 256, /* LRU maps keep free ones on each CPU */
	MAX_ENTRIES = 64 * 1024 * 1024,
	MAX_SNAT_PORTS = 64 * 1024 * 1024,
};

static uint32_t lru_entries(uint32_t wanted, uint32_t cpus)
{
	return 2 * wanted + ENTRIES_PER_CPU * cpus;
}

static int check_sizes(const struct limits_sizes *sizes, const struct why *why)
{
	if (!sizes->listeners || sizes->listeners > LIMIT_MAX_LISTENERS)
		return why_fail(why, -EINVAL, "limits: %u listeners, the maps hold 1 to %d",
				sizes->listeners, LIMIT_MAX_LISTENERS);
	if (sizes->connections > MAX_ENTRIES || sizes->sources > MAX_ENTRIES ||
	    sizes->snat_ports > MAX_SNAT_PORTS)
		return why_fail(why, -EINVAL, "limits: more than %d entries in a map", MAX_ENTRIES);
	return 0;
}

static int is_bpf(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

/* A BPF file system is everybody's by default: who made the folder could exchange the pins. */
static int is_private(const char *root)
{
	struct stat st;

	return lstat(root, &st) == 0 && S_ISDIR(st.st_mode) &&
	       (st.st_uid == geteuid() || st.st_uid == 0) && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static int no_bpf(const char *path, const struct why *why)
{
	return why_fail(why, -ENODEV,
			"limits: %s is not on a BPF file system: mount one there (mount -t bpf bpf "
			"DIR) or name one by --bpf-dir",
			path);
}

static int make_root(const char *root, const struct why *why)
{
	char parent[OBJECT_PATH_BYTES];
	const char *slash = strrchr(root, '/');

	if (mkdir(root, 0700) && errno != EEXIST) {
		int error = errno;

		snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - root) : 0, root);
		return is_bpf(parent) ? why_fail(why, -error, "limits: cannot make %s: %s", root,
						 strerror(error))
				      : no_bpf(parent, why);
	}
	if (!is_bpf(root)) {
		rmdir(root);
		return no_bpf(root, why);
	}
	if (is_private(root))
		return 0;
	return why_fail(why, -EPERM,
			"limits: %s is not a folder that only this user writes to: remove it",
			root);
}

static void set_sizes(struct limits *l)
{
	const struct limits_sizes *sizes = &l->sizes;
	const uint32_t binds = limits_listener_entries(sizes);
	const uint32_t ports = sizes->snat_ports ? sizes->snat_ports : 1;
	const struct {
		const char *map;
		uint32_t entries;
	} rows[] = {
		{"addresses", binds},
		{"listeners", binds},
		{"listener_rules", 2 * sizes->listeners},
		{"listener_words", sizes->listeners},
		{"counters", LIMIT_INTERFACES + sizes->listeners},
		{"connections4", l->entries},
		{"connections6", l->entries},
		{"sources", lru_entries(sizes->sources, l->cpus)},
		{"snat_owner", ports},
		{"snat_flows", ports},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		bpf_map__set_max_entries(bpf_object__find_map_by_name(l->object, rows[i].map),
					 rows[i].entries);
}

/* Use the pin of @map if there is one. Return: 1 it was used, 0 there is none, -errno. */
static int reuse(struct bpf_map *map, const char *root, const struct why *why)
{
	uint32_t wanted = bpf_map__max_entries(map);
	int rc = object_reuse(map, root);

	if (rc == -ENOENT)
		return 0;
	if (rc == -ESTALE)
		return why_fail(why, rc, "limits: %s/%s is of another version of Fender", root,
				bpf_map__name(map));
	if (rc)
		return why_fail(why, rc, "limits: cannot open %s/%s: %s", root, bpf_map__name(map),
				strerror(-rc));
	if (bpf_map__max_entries(map) != wanted)
		return why_fail(why, -ESTALE, "limits: %s/%s has %u entries, %u are wanted", root,
				bpf_map__name(map), bpf_map__max_entries(map), wanted);
	return 1;
}

/* Pin what is not pinned yet; @reused says what is. Undone on failure. */
static int pin_maps(struct limits *l, const char *root, const uint8_t *reused,
		    const struct why *why)
{
	struct bpf_object *object = l->object;
	char path[OBJECT_PATH_BYTES];
	struct bpf_map *map;
	int rc = 0;
	int n = 0;

	bpf_object__for_each_map(map, object)
	{
		if (!object_map_is_shared(map) || reused[n++])
			continue;
		rc = object_pin_path(path, root, map);
		if (!rc)
			rc = bpf_map__pin(map, path);
		if (rc)
			break;
	}
	if (!rc)
		return 0;
	why_fail(why, rc, "limits: cannot pin %s in %s: %s", bpf_map__name(map), root,
		 strerror(-rc));
	n = 0;
	bpf_object__for_each_map(map, object) if (object_map_is_shared(map) && !reused[n++] &&
						  bpf_map__is_pinned(map))
		bpf_map__unpin(map, NULL);
	return rc;
}

static int load(struct limits *l, const char *root, const struct why *why)
{
	enum { MAPS = 32 };
	uint8_t reused[MAPS] = {0};
	char said[256];
	struct bpf_map *map;
	int all_reused = 1;
	int n = 0;
	int rc;

	bpf_object__for_each_map(map, l->object)
	{
		if (!object_map_is_shared(map))
			continue;
		if (n == MAPS)
			return why_fail(why, -E2BIG, "limits: more than %d maps", MAPS);
		rc = reuse(map, root, why);
		if (rc < 0)
			return rc;
		reused[n++] = (uint8_t)rc;
		all_reused &= rc;
	}
	/* All is there: a control plane before has asked the kernel about the program. */
	if (all_reused)
		bpf_program__set_autoload(bpf_object__next_program(l->object, NULL), false);
	rc = object_load(l->object, said, sizeof(said));
	if (rc)
		return why_fail(why, rc, "limits: %s", said);
	rc = pin_maps(l, root, reused, why);
	/* Else the dataplane loads it once more. */
	if (!rc && !all_reused)
		loaded_pin(root, l->object);
	return rc;
}

static void find_maps(struct limits *l)
{
	const struct {
		const char *map;
		int *fd;
	} rows[] = {
		{"config", &l->fd.config},
		{"interfaces", &l->fd.interfaces},
		{"addresses", &l->fd.addresses},
		{"listeners", &l->fd.listeners},
		{"listener_rules", &l->fd.listener_rules},
		{"listener_words", &l->fd.listener_words},
		{"connections4", &l->fd.connections4},
		{"connections6", &l->fd.connections6},
		{"snat_owner", &l->fd.snat_owner},
		{"snat_flows", &l->fd.snat_flows},
		{"counters", &l->fd.counters},
		{"verdict_times", &l->fd.verdict_times},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		*rows[i].fd = bpf_object__find_map_fd_by_name(l->object, rows[i].map);
}

static int map_config(struct limits *l, const struct why *why)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, l->fd.config, 0);

	if (at == MAP_FAILED)
		return why_fail(why, -errno, "limits: cannot map config: %s", strerror(errno));
	l->config = at;
	if (!l->config->abi)
		l->config->abi = LIMIT_ABI;
	if (l->config->abi != LIMIT_ABI)
		return why_fail(why, -ESTALE, "limits: the pinned maps are of layout %u, not %d",
				l->config->abi, LIMIT_ABI);
	return 0;
}

static size_t owner_bytes(const struct limits *l)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = (l->sizes.snat_ports ? l->sizes.snat_ports : 1) * sizeof(uint64_t);

	return (bytes + page - 1) / page * page;
}

static int map_snat_owner(struct limits *l, const struct why *why)
{
	void *at = mmap(NULL, owner_bytes(l), PROT_READ, MAP_SHARED, l->fd.snat_owner, 0);

	if (at == MAP_FAILED)
		return why_fail(why, -errno, "limits: cannot map snat_owner: %s", strerror(errno));
	l->snat_owner = at;
	return 0;
}

static int open_maps(struct limits *l, const char *root, const struct why *why)
{
	int cpus = libbpf_num_possible_cpus();
	int rc = check_sizes(&l->sizes, why);

	if (rc)
		return rc;
	if (cpus < 1)
		return why_fail(why, -EINVAL, "limits: the number of CPUs is unknown");
	l->cpus = (uint32_t)cpus;
	rc = make_root(root, why);
	if (rc)
		return rc;
	l->entries = lru_entries(l->sizes.connections, l->cpus);
	l->object = object_open();
	if (!l->object)
		return why_fail(why, -errno, "limits: cannot open the XDP program: %s",
				strerror(errno));
	set_sizes(l);
	rc = load(l, root, why);
	if (rc)
		return rc;
	find_maps(l);
	rc = map_config(l, why);
	return rc ? rc : map_snat_owner(l, why);
}

struct limits *limits_open(const char *root, const struct limits_sizes *sizes, char *why,
			   size_t why_size)
{
	const struct why to = {why, why_size};
	struct limits *l = calloc(1, sizeof(*l));
	int rc;

	if (!l) {
		errno = -why_fail(&to, -ENOMEM, "limits: no memory");
		return NULL;
	}
	l->sizes = *sizes;
	rc = open_maps(l, root, &to);
	if (!rc)
		return l;
	limits_close(l);
	errno = -rc;
	return NULL;
}

void limits_close(struct limits *l)
{
	if (!l)
		return;
	if (l->config)
		munmap(l->config, (size_t)sysconf(_SC_PAGESIZE));
	if (l->snat_owner)
		munmap((void *)(uintptr_t)l->snat_owner, owner_bytes(l));
	bpf_object__close(l->object);
	free(l);
}

int limits_pinned(const char *root)
{
	char path[OBJECT_PATH_BYTES];
	int n = snprintf(path, sizeof(path), "%s/config", root);

	return n > 0 && n < (int)sizeof(path) && access(path, F_OK) == 0;
}

int limits_remove(const char *root)
{
	struct bpf_object *object = object_open();
	char path[OBJECT_PATH_BYTES];
	struct bpf_map *map;
	int rc = 0;

	if (!object)
		return -errno;
	bpf_object__for_each_map(map, object)
	{
		if (!object_map_is_shared(map) || rc)
			continue;
		rc = object_pin_path(path, root, map);
		if (!rc && unlink(path) && errno != ENOENT && errno != ENOTDIR)
			rc = -errno;
	}
	bpf_object__close(object);
	if (!rc)
		rc = loaded_unpin(root);
	if (!rc && rmdir(root) && errno != ENOENT && errno != ENOTEMPTY && errno != ENOTDIR)
		rc = -errno;
	return rc;
}
