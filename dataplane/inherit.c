/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/inherit.h"

#include "dataplane/clock.h"
#include "dataplane/conn/residue.h"
#include "dataplane/conn/tcp_track.h"
#include "dataplane/flow.h"
#include "dataplane/policy/rebuild.h"
#include "dataplane/worker_state.h"

#include <errno.h>

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
	rebuild_call(&w->engine.state, &c->call);
	w->engine.open_calls[c->cluster]++;
	residue_count(&i->residue, c);
	adopted_drain_orphan(i->policy, c, w->now_ns);
}

static int inherit(struct worker *w, struct adopted *policy, struct conn_adopted *out)
{
	struct inheriting inheriting = {.w = w, .policy = policy};
	const struct region *region = w->shared->region;
	const struct conn_heir heir = {
		.image = policy->image,
		.owners = w->owners,
		.worker = w->number,
		.snat = {w->snat[0], w->snat[1]},
		.snat_addresses = w->snat_addresses,
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

int inherit_connections(const struct worker_shared *shared, struct adopted *policy,
			struct conn_adopted *out)
{
	const uint64_t now_ns = clock_ns();
	int rc = 0;

	*out = (struct conn_adopted){0};
	residue_book_packets(shared->region);
	for (uint32_t i = 0; i < shared->workers && rc == 0; i++) {
		struct conn_adopted one = {0};

		worker_set_time(shared->worker[i], now_ns);
		rc = inherit(shared->worker[i], policy, &one);
		out->open += one.open;
		out->resting += one.resting;
		out->waiting += one.waiting;
		out->unreadable += one.unreadable;
	}
	if (rc == 0)
		snat_owner_sweep(&shared->ports->owners);
	return rc;
}
