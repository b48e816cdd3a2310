/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/active.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/lock.h"
#include "controlplane/log.h"
#include "controlplane/policy_diff.h"
#include "shm/counters.h"
#include "shm/publish.h"

enum { LOCK_WAIT_MS = 2000, LOCK_STEP_MS = 10 };

struct image_header *active_policy(const struct region *region)
{
	uint64_t active = __atomic_load_n(&region->header->active, __ATOMIC_ACQUIRE);
	uint32_t slot_bytes = region->shape.slot_bytes;
	struct image_header *image;
	char why[160];
	uint32_t length;

	if (active == 0 || active_slot(active) >= POLICY_SLOTS)
		return NULL;
	/* Written by a control plane only, and we hold its lock: the slot stands still. */
	length = ((const struct image_header *)region->slots[active_slot(active)])->length;
	if (length < sizeof(*image) || length > slot_bytes)
		return NULL;
	image = malloc(length);
	if (!image)
		return NULL;
	memcpy(image, region->slots[active_slot(active)], length);
	if (image_check(image, length, why, sizeof(why)) == 0 &&
	    image->generation == active_generation(active))
		return image;
	free(image);
	return NULL;
}

struct region_spec active_spec(const struct image_header *image)
{
	const struct image_sidecar *s = &image->sidecar;

	return (struct region_spec){
		.instance = image_string(image, s->name),
		.workers = s->workers,
		.connections = s->connections,
		.listeners = s->listeners,
		.clusters = s->clusters,
		.endpoints = s->endpoints,
		.slot_bytes = s->slot_bytes,
	};
}

const char *active_misfit(const struct region *region, const struct image_header *active,
			  const struct image_header *image, char *key, size_t key_size)
{
	const struct region_spec spec = active_spec(image);

	if (active && policy_needs_restart(active, image, key, key_size))
		return key;
	return region_matches(region, &spec) ? NULL : "the sizes of its tables";
}

int active_open(struct region *region, const struct paths *paths, struct image_header **active)
{
	char why[160] = "";
	int rc = region_open(region, paths->region, why, sizeof(why));

	*active = NULL;
	if (rc != 0) {
		if (rc != -ENOENT)
			log_warn("region", "event=replaced reason=\"%s\"", why);
		return 0;
	}
	*active = active_policy(region);
	return 1;
}

static void pause_a_step(void)
{
	const struct timespec pause = {0, LOCK_STEP_MS * 1000000};

	nanosleep(&pause, NULL);
}

/* One that was killed a moment ago holds its lock until the kernel has cleared it away. */
int active_is_served(const struct region *region, const struct paths *paths)
{
	const uint64_t *beat = &region->header->dataplane_heartbeat_ns;
	const uint64_t first = counter_read(beat);

	for (int i = 0; i < LOCK_WAIT_MS / LOCK_STEP_MS; i++) {
		if (lock_held(paths->dataplane_lock) != 1)
			return 0;
		if (counter_read(beat) != first)
			return 1;
		pause_a_step();
	}
	return 1;
}

static int dataplane_stays(const struct paths *paths)
{
	for (int i = 0; i < LOCK_WAIT_MS / LOCK_STEP_MS; i++) {
		if (lock_held(paths->dataplane_lock) != 1)
			return 0;
		pause_a_step();
	}
	return 1;
}

int active_create(struct region *region, const struct paths *paths,
		  const struct image_header *image, char *why, size_t why_size)
{
	const struct region_spec spec = active_spec(image);
	int rc;

	if (dataplane_stays(paths)) {
		snprintf(why, why_size,
			 "a dataplane holds %s and cannot be taken over: stop it first",
			 paths->dataplane_lock);
		return -EBUSY;
	}
	rc = region_create(region, paths->region, &spec, why, why_size);
	if (rc == 0)
		log_info("region", "event=created path=%s bytes=%lu", paths->region, region->bytes);
	return rc;
}
