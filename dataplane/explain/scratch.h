/* SPDX-License-Identifier: Apache-2.0 */
/* An engine on a copy of a region's state, to try a decision on. */
#ifndef FENDER_DATAPLANE_EXPLAIN_SCRATCH_H
#define FENDER_DATAPLANE_EXPLAIN_SCRATCH_H

#include "dataplane/policy/call.h"
#include "shm/region.h"

struct scratch {
	struct engine engine;
	struct policy_view view;
	struct call call; /* number 0 of engine.calls */
	struct queues listener_queues;
	struct queues cluster_queues;
	uint16_t *maps;
};

/* Return: 0, -ENOMEM, -ENOENT (explain()). *@s is to be freed in any case. */
int scratch_create(struct scratch *s, const struct image_header *image, const struct region *region,
		   uint64_t now_ns);
void scratch_free(struct scratch *s);

#endif
