/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/scrub.h"

#include "dataplane/flow.h"
#include "dataplane/pkt/rewrite.h"
#include "dataplane/worker_state.h"

#include <endian.h>

enum {
	SCRUB_PER_MS = 2,  /* 0.03 % of a worker's time */
	SCRUB_BURST = 256, /* after a sleep, so that nothing waits for it long */
	NS_A_MS = 1000000,
	SLACK_MS = 64000, /* a handshake without a request timeout */
};

static int is_intact(const struct worker *w, const struct conn *c)
{
	const struct conn_own *own = conn_own(&w->table, c);
	const struct call *call = call_of(w, c);

	if (!conn_is_sound(&w->table, c) || !conn_is_found(&w->table, c))
		return 0;
	if (own->port && c->rev.dport != htobe16(own->port))
		return 0;
	if (!own->opened) /* it rests, or is a tombstone */
		return 1;
	if (c->listener != call->listener || c->cluster != call->cluster)
		return 0;
	return !own->port || (c->endpoint == call->endpoint && rewrite_is_prepared(c));
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/*
 * No later than the policy would have it at most: one that says more would stay for ever. Those of
 * an older policy that had it later are brought forward too, which only ends them sooner.
 */
static void bound_deadline(struct worker *w, struct conn *c)
{
	const struct image_timeouts *t = flow_timeouts(w, c);
	const uint64_t idle_ms = conn_own(&w->table, c)->udp ? t->idle_udp_ms : t->idle_tcp_ms;
	const uint64_t most_ms = later(later(idle_ms, t->request_ms), 2ull * t->connect_ms);
	const uint64_t until_ns = w->now_ns + later(most_ms, SLACK_MS) * NS_A_MS;

	if (idle_ms == 0 || c->state == CONN_WAITING || c->deadline_ns <= until_ns)
		return;
	c->deadline_ns = until_ns;
	conn_schedule(&w->table, c);
}

static void look_at(struct worker *w, uint32_t number)
{
	struct conn *c = &w->table.entries[number];

	if (!conn_is_live(&w->table, number))
		return;
	if (!is_intact(w, c))
		flow_damaged(w, c);
	else if (w->table.own[number].list >= CONN_LIST_WHEEL)
		bound_deadline(w, c);
}

void scrub_run(struct worker *w)
{
	uint64_t n;

	/* A clock that stepped back begins anew. */
	if (unlikely(w->now_ns < w->scrubbed_ns))
		w->scrubbed_ns = w->now_ns;
	if (likely(w->now_ns - w->scrubbed_ns < NS_A_MS))
		return;
	n = (w->now_ns - w->scrubbed_ns) / NS_A_MS * SCRUB_PER_MS;
	w->scrubbed_ns = w->now_ns;
	for (n = n < SCRUB_BURST ? n : SCRUB_BURST; n > 0; n--) {
		look_at(w, w->scrub_at);
		if (++w->scrub_at == w->table.capacity)
			w->scrub_at = 0;
	}
}
