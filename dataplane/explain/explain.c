/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/explain/explain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/conn/shard.h"
#include "dataplane/explain/scratch.h"
#include "dataplane/lb/bounded.h"
#include "dataplane/lb/candidates.h"
#include "dataplane/net/route.h"
#include "dataplane/policy/usable.h"

static void make_key(const struct explain_question *q, struct flow_key *key)
{
	memset(key, 0, sizeof(*key));
	key->k.interface = q->interface;
	key->k.proto = q->proto;
	key->k.family = q->family;
	key->k.sport = q->client_port;
	key->k.dport = q->destination_port;
	if (q->family == FAMILY_V4) {
		memcpy(&key->k.src, &q->client.b[12], 4);
		memcpy(&key->k.dst, &q->destination.b[12], 4);
	} else {
		memcpy(key->src6, q->client.b, 16);
		memcpy(key->dst6, q->destination.b, 16);
	}
}

static void find_owner(const struct explain_question *q, const struct flow_key *key,
		       struct explanation *out)
{
	uint8_t owners[OWNER_BUCKETS];

	shard_owners(owners, q->region->shape.workers);
	out->bucket = q->cluster == EXPLAIN_NONE ? shard_bucket(q->image, q->interface, key)
						 : shard_client_bucket(key);
	out->worker = owners[out->bucket];
}

static void find_listener(const struct explain_question *q, struct explanation *out)
{
	const struct image_listener *first =
		IMAGE_ARRAY(q->image, struct image_listener, listeners);
	const struct image_listener *found = route_listener(
		q->image, q->interface, q->proto, q->family, q->destination.b, q->destination_port);

	out->ours = route_is_ours(q->image, q->interface, q->family, q->destination.b) != 0;
	out->snat_port =
		out->ours && shard_is_snat_port(q->image, q->interface, q->destination_port);
	if (!found)
		return;
	out->listener = (uint32_t)(found - first);
	out->cluster = found->cluster;
}

/* Any listener of the cluster asked for: the call passes it on its way. */
static void find_listener_of_cluster(const struct explain_question *q, struct explanation *out)
{
	const struct image_listener *listener =
		IMAGE_ARRAY(q->image, struct image_listener, listeners);

	out->cluster = q->cluster;
	for (uint32_t i = 0; i < q->image->listeners.count; i++) {
		if (listener[i].cluster != q->cluster)
			continue;
		out->listener = i;
		return;
	}
}

static int is_hashed(const struct image_cluster *c)
{
	return c->algorithm == LB_MAGLEV || c->algorithm == LB_RING_HASH ||
	       c->algorithm == LB_RENDEZVOUS;
}

/* -- the cluster ------------------------------------------------------------------------- */

static uint8_t objections_of(const struct scratch *s, const struct image_cluster *cluster,
			     const struct endpoint_state *state)
{
	const struct admin_word admin = admin_unpack(state->admin);
	uint8_t sum = 0;

	if (endpoint_usability(state, cluster, s->engine.now_ns) == USABLE)
		return 0;
	if (admin.drained)
		sum |= EXPLAIN_DRAINED;
	if (admin.override == OVERRIDE_OPEN)
		sum |= EXPLAIN_FORCED_OPEN;
	if (cluster->health.mode == MODE_ENFORCE && cluster->health.type != HEALTH_NONE &&
	    admin.health != HEALTH_HEALTHY &&
	    (admin.health == HEALTH_UNHEALTHY || cluster->health.initial_unhealthy))
		sum |= EXPLAIN_UNHEALTHY;
	/* The only other thing that speaks against one. */
	return sum ? sum : EXPLAIN_EJECTED;
}

static void describe(const struct scratch *s, const struct explanation *out,
		     const struct levels *levels, struct explain_candidate *c)
{
	const struct image_cluster *cluster = &s->view.clusters[out->cluster];
	const struct image_endpoint *e = &s->view.endpoints[c->endpoint];
	const struct endpoint_state *state =
		&s->engine.state.endpoints[s->view.endpoint_slot[c->endpoint]];
	const struct level *own = &levels->level[out->priority];

	c->objections = objections_of(s, cluster, state);
	c->panic = levels->level[e->priority].panic;
	c->in_flight = state->in_flight;
	if (cluster->endpoint_bulkhead.mode == MODE_ENFORCE)
		c->limit = cluster->endpoint_bulkhead.max_concurrent;
	if (c->limit && c->in_flight >= c->limit)
		c->objections |= EXPLAIN_FULL;
	if (levels->count > 1 && e->priority != out->priority)
		c->objections |= EXPLAIN_OTHER_PRIORITY;
	if (cluster->balance.has_zones && own->local_usable != 0 && !e->local)
		c->objections |= EXPLAIN_OTHER_ZONE;
	if (out->hashed && cluster->balance.slow_start_ms != 0 &&
	    !slow_start_takes(slow_start_factor(state, &cluster->balance, s->engine.now_ns), e->key,
			      out->hash))
		c->objections |= EXPLAIN_STARTS_SLOWLY;
}

static void list_candidates(struct scratch *s, struct explanation *out, const struct levels *levels)
{
	const struct image_cluster *cluster = &s->view.clusters[out->cluster];
	struct random random = s->engine.random;
	uint32_t cursor = 0;
	struct candidates c = {
		.view = &s->view,
		.state = &s->engine.state,
		.cluster = cluster,
		.hash = out->hash,
		.now_ns = s->engine.now_ns,
		.random = &random,
		.cursor = &cursor,
	};
	uint32_t number;

	candidates_begin(&c);
	while (out->candidate_count < EXPLAIN_CANDIDATES &&
	       (number = candidates_next(&c)) != CANDIDATE_NONE) {
		struct explain_candidate *candidate = &out->candidate[out->candidate_count++];

		candidate->endpoint = cluster->first_endpoint + number;
		describe(s, out, levels, candidate);
	}
}

static void look_at_cluster(struct scratch *s, const struct flow_key *client,
			    struct explanation *out)
{
	const struct image_cluster *cluster = &s->view.clusters[out->cluster];
	struct levels levels = {0};

	levels_refresh(&levels, &s->view, &s->engine.state, out->cluster, s->engine.now_ns);
	out->usable = levels.usable_endpoints;
	out->hashed = is_hashed(cluster) != 0;
	if (out->hashed)
		out->hash = lb_hash(client, cluster->hash_on);
	out->sure = out->hashed || cluster->endpoint_count == 1;
	if (cluster->endpoint_count == 0)
		return;
	out->priority = out->hashed ? levels_choose(&levels, out->hash) : 0;
	out->priority_share = levels.level[out->priority].share;
	list_candidates(s, out, &levels);
}

/* -- the call ---------------------------------------------------------------------------- */

static void find_next_hop(const struct explain_question *q, struct explanation *out)
{
	const struct image_endpoint *e =
		IMAGE_ARRAY(q->image, struct image_endpoint, endpoints) + out->endpoint;

	out->has_next_hop = route_next_hop(q->image, (uint8_t)e->interface, e->family, e->ip.b,
					   out->next_hop.b) == 0;
}

static void decide(struct scratch *s, const struct explain_question *q,
		   const struct flow_key *client, struct explanation *out)
{
	const struct image_cluster *cluster = &s->view.clusters[out->cluster];
	struct call_request request = {
		.listener = out->listener,
		.hash = out->hash,
		.no_queue = q->proto == PROTO_UDP,
		.no_verdict = q->proto == PROTO_UDP && cluster->timeouts.expect_reply_ms == 0,
	};
	struct call_step step;

	if (cluster->bulkhead.scope == SCOPE_SOURCE)
		request.source = lb_hash(client, HASH_ON_SOURCE_IP);
	step = call_start(&s->engine, &s->call, &request);
	switch (step.next) {
	case CALL_SEND:
		out->next = EXPLAIN_SEND;
		out->endpoint = step.endpoint;
		find_next_hop(q, out);
		break;
	case CALL_WAIT:
	case CALL_BACK_OFF:
		out->next = EXPLAIN_WAIT;
		out->wait_ns = step.wake_ns > q->now_ns ? step.wake_ns - q->now_ns : 0;
		break;
	default:
		out->next = EXPLAIN_REJECT;
		out->reason = step.reason;
	}
}

int explain(const struct explain_question *q, struct explanation *out)
{
	struct flow_key client;
	struct scratch s;
	int rc;

	*out = (struct explanation){
		.listener = EXPLAIN_NONE, .cluster = EXPLAIN_NONE, .endpoint = EXPLAIN_NONE};
	make_key(q, &client);
	find_owner(q, &client, out);
	if (q->cluster == EXPLAIN_NONE)
		find_listener(q, out);
	else
		find_listener_of_cluster(q, out);
	if (out->cluster == EXPLAIN_NONE)
		return 0;
	rc = scratch_create(&s, q->image, q->region, q->now_ns);
	if (rc == 0) {
		look_at_cluster(&s, &client, out);
		if (out->listener != EXPLAIN_NONE)
			decide(&s, q, &client, out);
	}
	scratch_free(&s);
	return rc;
}
