/* SPDX-License-Identifier: Apache-2.0 */
#include "ebpf/attach.h"

#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ebpf/object.h"

enum { PATH_BYTES = 256 };

enum pin { PIN_CURRENT, PIN_NEXT };

/* A program that is attached, and a descriptor of it when it may be replaced, else -1. */
struct holder {
	struct attach_found found;
	enum pin pin; /* of ours */
	int fd;
};

static int pin_path(char *path, const char *root, int if_index, enum pin pin)
{
	int n = snprintf(path, PATH_BYTES, "%s/program-%d%s", root, if_index,
			 pin == PIN_NEXT ? "-next" : "");

	return n < 0 || n >= PATH_BYTES ? -ENAMETOOLONG : 0;
}

static int sockets_path(char *path, const char *root, int if_index)
{
	int n = snprintf(path, PATH_BYTES, "%s/sockets-%d-%016llx", root, if_index,
			 (unsigned long long)object_build());

	return n < 0 || n >= PATH_BYTES ? -ENAMETOOLONG : 0;
}

static int describe(int fd, uint32_t *id, char *name)
{
	struct bpf_prog_info info = {0};
	uint32_t bytes = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &bytes))
		return -errno;
	*id = info.id;
	if (name)
		memcpy(name, info.name, ATTACH_NAME_BYTES);
	return 0;
}

/* Descriptor of the pinned program if its id is @id, else -1. */
static int open_pin(const char *root, int if_index, enum pin pin, uint32_t id)
{
	char path[PATH_BYTES];
	uint32_t pinned = 0;
	int fd;

	if (pin_path(path, root, if_index, pin))
		return -1;
	fd = bpf_obj_get(path);
	if (fd >= 0 && describe(fd, &pinned, NULL) == 0 && pinned == id)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static int query(int if_index, struct attach_found *found)
{
	struct bpf_xdp_query_opts q = {.sz = sizeof(q)};
	int rc = bpf_xdp_query(if_index, 0, &q);

	if (rc)
		return rc;
	found->id = q.prog_id ? q.prog_id : q.drv_prog_id ? q.drv_prog_id : q.skb_prog_id;
	found->generic = q.attach_mode == XDP_ATTACHED_SKB;
	return 0;
}

static int is_libxdp_default(const char *name)
{
	return strcmp(name, "xsk_def_prog") == 0 || strcmp(name, "xsk_def_xdp_pro") == 0;
}

/* The attached program is none of our pins: what can be known about it. */
static void look_closer(struct holder *h)
{
	uint32_t id;
	int fd = bpf_prog_get_fd_by_id(h->found.id);

	if (fd < 0)
		return;
	if (describe(fd, &id, h->found.name) == 0 && is_libxdp_default(h->found.name)) {
		h->found.free = 1;
		h->fd = fd;
		return;
	}
	close(fd);
}

static int find_holder(const char *root, int if_index, struct holder *h)
{
	int rc;

	*h = (struct holder){.fd = -1};
	rc = query(if_index, &h->found);
	if (rc || !h->found.id)
		return rc;
	for (int pin = PIN_CURRENT; root && pin <= PIN_NEXT && h->fd < 0; pin++) {
		h->pin = (enum pin)pin;
		h->fd = open_pin(root, if_index, h->pin, h->found.id);
	}
	if (h->fd < 0) {
		look_closer(h);
		return 0;
	}
	h->found.ours = 1;
	return describe(h->fd, &h->found.id, h->found.name);
}

static void close_holder(struct holder *h)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

int attach_look(const char *root, int if_index, struct attach_found *found)
{
	struct holder h;
	int rc = find_holder(root, if_index, &h);

	*found = h.found;
	close_holder(&h);
	return rc;
}

/* @old_fd -1: of none. @program_fd -1: leave none. */
static int swap(int if_index, int program_fd, int old_fd)
{
	struct bpf_xdp_attach_opts options = {.sz = sizeof(options), .old_prog_fd = old_fd};

	if (old_fd < 0)
		return bpf_xdp_attach(if_index, program_fd, XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
	return bpf_xdp_attach(if_index, program_fd, XDP_FLAGS_REPLACE, &options);
}

int attach_reuse(const char *root, int if_index, struct attach_program *program)
{
	char path[PATH_BYTES];
	struct holder h;

	*program = (struct attach_program){-1, -1};
	if (find_holder(root, if_index, &h) || sockets_path(path, root, if_index))
		return -ENOENT;
	program->sockets_fd = h.found.ours ? bpf_obj_get(path) : -1;
	if (program->sockets_fd >= 0 && object_is_bound(h.fd, program->sockets_fd, root)) {
		program->program_fd = h.fd;
		return 0;
	}
	if (program->sockets_fd >= 0)
		close(program->sockets_fd);
	program->sockets_fd = -1;
	close_holder(&h);
	return -ENOENT;
}

/* In place of a pin that is there. */
static int pin_anew(int fd, const char *path)
{
	if (unlink(path) && errno != ENOENT)
		return -errno;
	return bpf_obj_pin(fd, path) ? -errno : 0;
}

static int replace(const struct holder *h, const char *root, int if_index, int program_fd)
{
	char current[PATH_BYTES], next[PATH_BYTES];
	int rc = pin_path(current, root, if_index, PIN_CURRENT);

	if (!rc)
		rc = pin_path(next, root, if_index, PIN_NEXT);
	if (rc)
		return rc;
	/* A predecessor was killed after it attached, before it renamed. */
	if (h->found.ours && h->pin == PIN_NEXT && rename(next, current))
		return -errno;
	rc = pin_anew(program_fd, next);
	if (rc)
		return rc;
	rc = swap(if_index, program_fd, h->fd);
	if (rc) {
		unlink(next);
		return rc == -EEXIST ? -EBUSY : rc;
	}
	return rename(next, current) ? -errno : 0;
}

int attach_replace(const char *root, int if_index, const struct attach_program *program)
{
	char path[PATH_BYTES];
	struct holder h;
	uint32_t id = 0;
	int rc = find_holder(root, if_index, &h);

	if (!rc)
		rc = describe(program->program_fd, &id, NULL);
	if (!rc && h.found.id != id) {
		rc = h.found.id && h.fd < 0 ? -EBUSY : sockets_path(path, root, if_index);
		/* First: beside another program it is no use to anybody. */
		if (!rc)
			rc = pin_anew(program->sockets_fd, path);
		if (!rc)
			rc = replace(&h, root, if_index, program->program_fd);
	}
	close_holder(&h);
	return rc;
}

/* @path is a program's pin, of the device. */
static int end_one(const char *path, int if_index)
{
	struct attach_found found = {0};
	uint32_t id = 0;
	int fd = bpf_obj_get(path);
	int rc;

	if (fd < 0)
		return -errno;
	rc = describe(fd, &id, NULL);
	if (!rc)
		rc = query(if_index, &found);
	if (!rc && found.id == id)
		rc = swap(if_index, -1, fd);
	close(fd);
	if (rc == -ENODEV) /* the device has gone, and the program with it */
		rc = 0;
	return rc ? rc : unlink(path) ? -errno : 0;
}

/* "program-7": 7 behind "program-"; -1: another kind of pin. */
static int device_of(const char *name, const char *kind)
{
	size_t bytes = strlen(kind);

	return strncmp(name, kind, bytes) == 0 ? (int)strtol(name + bytes, NULL, 10) : -1;
}

static int is_one_of(int device, const int *devices, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (devices[i] == device)
			return 1;
	return 0;
}

static int end_pin(const char *root, const char *name, const int *kept, size_t count)
{
	int program = device_of(name, "program-"), sockets = device_of(name, "sockets-");
	char path[PATH_BYTES];
	int n = snprintf(path, sizeof(path), "%s/%s", root, name);

	if (is_one_of(program >= 0 ? program : sockets, kept, count))
		return 0;
	if (n < 0 || n >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (program >= 0)
		return end_one(path, program);
	return sockets >= 0 && unlink(path) ? -errno : 0;
}

int attach_end(const char *root)
{
	return attach_end_others(root, NULL, 0);
}

int attach_end_others(const char *root, const int *kept, size_t count)
{
	DIR *dir = opendir(root);
	const struct dirent *entry;
	int rc = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir)) != NULL) {
		int one = end_pin(root, entry->d_name, kept, count);

		rc = rc ? rc : one;
	}
	closedir(dir);
	return rc;
}
