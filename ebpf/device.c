/* SPDX-License-Identifier: Apache-2.0 */
#include "ebpf/device.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "ebpf/attach.h"
#include "ebpf/maps.h"
#include "ebpf/object.h"

/* The lower the better. */
enum slot { SLOT_MINE, SLOT_FREE, SLOT_LEFT, SLOT_TAKEN };

static enum slot judge(const char *root, const struct limit_device *d, int if_index)
{
	struct attach_found found;

	if (d->if_index == (uint32_t)if_index)
		return SLOT_MINE;
	if (!d->if_index)
		return SLOT_FREE;
	if (attach_look(root, (int)d->if_index, &found) == 0 && !found.ours)
		return SLOT_LEFT;
	return SLOT_TAKEN;
}

static int set(int fd, const char *root, int if_index, uint32_t row)
{
	const struct limit_device device = {(uint32_t)if_index, row};
	enum slot best = SLOT_TAKEN;
	uint32_t key = 0;

	for (uint32_t i = 0; i < LIMIT_DEVICE_TRIES; i++) {
		uint32_t slot = ((uint32_t)if_index + i) % LIMIT_DEVICES;
		struct limit_device there;
		enum slot is;

		if (bpf_map_lookup_elem(fd, &slot, &there))
			return -errno;
		is = judge(root, &there, if_index);
		if (is < best) {
			best = is;
			key = slot;
		}
	}
	if (best == SLOT_TAKEN)
		return -ENOSPC;
	return bpf_map_update_elem(fd, &key, &device, BPF_ANY) ? -errno : 0;
}

int device_set(const char *root, int if_index, uint32_t row)
{
	char path[OBJECT_PATH_BYTES];
	int n = snprintf(path, sizeof(path), "%s/devices", root);
	int fd, rc;

	if (n < 0 || n >= (int)sizeof(path) || row >= LIMIT_INTERFACES || if_index <= 0)
		return -EINVAL;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	rc = set(fd, root, if_index, row);
	close(fd);
	return rc;
}
