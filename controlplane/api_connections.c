/* SPDX-License-Identifier: Apache-2.0 */
/* GET /connections. */
#include <errno.h>
#include <stdlib.h>

#include <microhttpd.h>

#include "controlplane/api.h"
#include "controlplane/connections_json.h"
#include "controlplane/liveness.h"
#include "controlplane/run_state.h"
#include "shm/registry.h"

struct snapshot {
	struct connections_look look;
	struct connections_filter filter;
	struct image_timeouts *timeouts;
	uint64_t cursor;
	uint64_t limit;
};

static void drop(void *snapshot)
{
	struct snapshot *s = snapshot;

	free(s->timeouts);
	free(s);
}

/* Without memory for them idle times are not told. */
static void take_timeouts(struct snapshot *s, const struct run *run)
{
	const struct image_header *policy = reloader_policy(run->reloader);
	const struct image_cluster *c = IMAGE_ARRAY(policy, struct image_cluster, clusters);
	uint32_t slots = run->region.shape.cluster_slots;

	s->timeouts = calloc(slots + 1, sizeof(*s->timeouts));
	s->look.timeouts = s->timeouts;
	for (uint32_t i = 0; s->timeouts && i < policy->clusters.count; i++) {
		uint32_t slot = registry_find(run->region.cluster_registry, slots, c[i].key);

		if (slot != REGISTRY_NONE)
			s->timeouts[slot] = c[i].timeouts;
	}
}

/* A name that left the policy has its slot as long as it has connections. 0: 404 is answered. */
static int take_slot(struct admin_request *request, const char *kind,
		     const struct registry_entry *entries, uint32_t slots, uint32_t *slot)
{
	const char *name = admin_query(request, kind);

	*slot = CONNECTIONS_ANY_SLOT;
	if (!name)
		return 1;
	*slot = registry_find(entries, slots, name_key(name));
	if (*slot != REGISTRY_NONE)
		return 1;
	admin_answer_error(request, MHD_HTTP_NOT_FOUND, "no %s '%.63s'", kind, name);
	return 0;
}

static int take_addresses(struct snapshot *s, struct admin_request *request)
{
	const char *endpoint = admin_query(request, "endpoint");
	const char *client = admin_query(request, "client");

	if (endpoint && connections_filter_endpoint(&s->filter, endpoint) != 0)
		admin_answer_error(request, MHD_HTTP_BAD_REQUEST,
				   "'endpoint' must be ip:port or [ip]:port");
	else if (client && connections_filter_client(&s->filter, client) != 0)
		admin_answer_error(request, MHD_HTTP_BAD_REQUEST,
				   "'client' must be ip, ip:port or [ip]:port");
	else
		return 1;
	return 0;
}

static int take_state(struct snapshot *s, struct admin_request *request)
{
	const char *state = admin_query(request, "state");

	s->filter.states = state ? connections_states(state) : connections_live_states();
	if (s->filter.states)
		return 1;
	admin_answer_error(request, MHD_HTTP_BAD_REQUEST,
			   "'state' must be syn_sent, syn_rcvd, established, closing, resting, "
			   "waiting, tombstone or all");
	return 0;
}

/* 0: the request is answered. */
static int take_filter(struct snapshot *s, const struct region *region,
		       struct admin_request *request)
{
	const struct region_shape *shape = &region->shape;

	s->limit = CONNECTIONS_ROWS_DEFAULT;
	return admin_query_number(request, "limit", 1, CONNECTIONS_ROWS_MAX, &s->limit) == 0 &&
	       admin_query_number(request, "cursor", 0, UINT64_MAX, &s->cursor) == 0 &&
	       take_state(s, request) && take_addresses(s, request) &&
	       take_slot(request, "listener", region->listener_registry, shape->listener_slots,
			 &s->filter.listener) &&
	       take_slot(request, "cluster", region->cluster_registry, shape->cluster_slots,
			 &s->filter.cluster);
}

static void *take(void *ctx, struct admin_request *request)
{
	const struct run *run = ctx;
	struct snapshot *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (!take_filter(s, &run->region, request)) {
		drop(s);
		return NULL;
	}
	s->look.region = &run->region;
	s->look.now_ns = monotonic_ns();
	take_timeouts(s, run);
	return s;
}

static struct admin_text build(void *snapshot)
{
	struct snapshot *s = snapshot;
	struct json_text text = {0};

	connections_write(&text, &s->look, &s->filter, s->cursor, s->limit);
	return json_text_answer(&text);
}

void api_connections(void *ctx, struct admin_request *request)
{
	static const struct admin_job job = {
		.take = take, .build = build, .drop = drop, .alone = 1};

	admin_answer_job(request, &job);
}
