/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/inherit.h"

#include "dataplane/clock.h"
#include "dataplane/conn/lent.h"
#include "dataplane/conn/residue.h"
#include "dataplane/conn/tcp_track.h"
#include "dataplane/flow.h"
#include "dataplane/lb/candidates.h"
#include "dataplane/policy/rebuild.h"
#include "dataplane/worker_state.h"

#include <errno.h>
#include <stdlib.h>

/* Of all workers, [tcp, udp][worker]: by address. */
struct pools {
	struct snat_ports **of[2][MAX_WORKERS];
};

struct inheriting {
	struct worker *w;
	struct adopted *policy;
	struct residue residue;
};

/* A SYN that is under way begins anew: of the pause the endpoint is not to blame. */
static void begin_again(struct worker *w, struct conn *c)
{
	c->call.attempt_ns = w->now_ns;
	tcp_track_attempt(c, flow_timeouts(w, c));
}

/* The table of sources has another size: region_migrate(). */
static void find_source(struct worker *w, struct conn *c)
{
	const struct policy_view *v = &w->policy->view;
	const uint16_t at = v->cluster_at[c->cluster];
	struct flow_key client;

	if (!(c->call.held & CALL_SOURCE_PERMIT) || c->call.source != CALL_SOURCE_UNKNOWN)
		return;
	conn_forward_key(c, &client);
	rebuild_source(&w->engine.state, &c->call, at == VIEW_NONE ? NULL : &v->clusters[at],
		       lb_hash(&client, HASH_ON_SOURCE_IP));
}

static void carry_on(void *ctx, struct conn *c)
{
	struct inheriting *i = ctx;
	struct worker *w = i->w;

	w->snat_epoch += w->snat_epoch == UINT32_MAX ? 2 : 1;
	snat_owner_adopt(&w->shared->ports->owners, c, w->snat_epoch);
	if (c->state == CONN_RESTING || c->state == CONN_TOMBSTONE)
		return;
	if (c->state == CONN_SYN_SENT)
		begin_again(w, c);
	find_source(w, c);
	*call_of(w, c) = c->call;
	conn_own(&w->table, c)->opened = 1;
	rebuild_call(&w->engine.state, &c->call);
	w->engine.open_calls[c->cluster]++;
	residue_count(&i->residue, c);
	adopted_drain_orphan(i->policy, c, w->now_ns);
}

static int inherit(struct worker *w, struct adopted *policy, struct pools *pools,
		   struct conn_adopted *out)
{
	struct inheriting inheriting = {.w = w, .policy = policy};
	const struct region *region = w->shared->region;
	const struct conn_heir heir = {
		.image = policy->image,
		.owners = w->owners,
		.worker = w->number,
		.snat = {w->snat[0], w->snat[1]},
		.snat_addresses = w->snat_addresses,
		.others = {pools->of[0], pools->of[1]},
		.lent = w->shared->lent,
		.listener_slots = region->shape.listener_slots,
		.cluster_slots = region->shape.cluster_slots,
		.endpoint_slots = region->shape.endpoint_slots,
		.now_ns = w->now_ns,
		.carry_on = carry_on,
		.ctx = &inheriting,
	};
	int rc = residue_create(&inheriting.residue, &region->shape);

	if (rc)
		return rc;
	rc = conn_table_adopt(&w->table, &heir, out);
	if (rc == 0)
		residue_book_calls(region, w->number, &inheriting.residue);
	residue_destroy(&inheriting.residue);
	return rc;
}

static int lending_begin(struct worker_shared *shared, struct pools *pools)
{
	for (uint32_t i = 0; i < shared->workers; i++)
		for (int udp = 0; udp < 2; udp++)
			pools->of[udp][i] = shared->worker[i]->snat[udp];
	if (shared->workers == 1)
		return 0;
	shared->lent = calloc(1, sizeof(*shared->lent));
	return shared->lent ? 0 : -ENOMEM;
}

/* Mostly none is lent: then packets do not ask for it. */
static void lending_end(struct worker_shared *shared, struct conn_adopted *out)
{
	out->lent = shared->lent ? shared->lent->count : 0;
	if (out->lent || !shared->lent)
		return;
	lent_ports_free(shared->lent);
	free(shared->lent);
	shared->lent = NULL;
}

int inherit_connections(struct worker_shared *shared, struct adopted *policy,
			struct conn_adopted *out)
{
	const uint64_t now_ns = clock_ns();
	struct pools pools;
	int rc = lending_begin(shared, &pools);

	*out = (struct conn_adopted){0};
	residue_book_packets(shared->region);
	for (uint32_t i = 0; i < shared->workers && rc == 0; i++) {
		struct conn_adopted one = {0};

		worker_set_time(shared->worker[i], now_ns);
		rc = inherit(shared->worker[i], policy, &pools, &one);
		out->open += one.open;
		out->resting += one.resting;
		out->waiting += one.waiting;
		out->unreadable += one.unreadable;
	}
	lending_end(shared, out);
	if (rc == 0)
		snat_owner_sweep(&shared->ports->owners);
	return rc;
}
