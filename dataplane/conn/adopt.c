/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/adopt.h"

#include "dataplane/conn/index.h"
#include "dataplane/conn/lent.h"
#include "dataplane/conn/shard.h"
#include "dataplane/conn/table_parts.h"
#include "dataplane/conn/tcp_track.h"
#include "dataplane/net/neighbour.h"
#include "dataplane/pkt/rewrite.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WSCALE_MAX = 14, WSCALE_NONE = 0xff, AHEAD = 8 };

/* No tombstone lasts longer: twice the longest connect timeout a policy would name. */
#define TOMBSTONE_NS 120000000000ull

/* What a connection under way may hold: it waits in no queue. */
enum {
	HELD = CALL_LISTENER_PERMIT | CALL_CLUSTER_PERMIT | CALL_SOURCE_PERMIT |
	       CALL_ENDPOINT_PERMIT | CALL_CLUSTER_PROBE | CALL_ENDPOINT_PROBE |
	       CALL_RETRY_ON_WIRE | CALL_ATTEMPT,
	UNFED = CALL_NO_VERDICT | CALL_NO_CLUSTER_EPOCH | CALL_NO_ENDPOINT_EPOCH,
};

static int is_open(uint8_t state)
{
	return state >= CONN_SYN_SENT && state <= CONN_CLOSING;
}

static int key_fits(const struct conn_key *k, const struct image_header *image)
{
	if (k->interface >= image->interfaces.count || k->pad != 0)
		return 0;
	if (k->proto != PROTO_TCP && k->proto != PROTO_UDP)
		return 0;
	return k->family == FAMILY_V4 || (k->family == FAMILY_V6 && k->src == 0 && k->dst == 0);
}

static int keys_fit(const struct conn *c, const struct image_header *image, uint8_t state)
{
	return key_fits(&c->fwd, image) && key_fits(&c->rev, image) &&
	       c->fwd.proto == c->rev.proto && c->fwd.family == c->rev.family &&
	       (c->fwd.proto == PROTO_TCP || state == CONN_ESTABLISHED);
}

static int snat_fits(const struct conn *c, const struct conn_heir *h)
{
	const struct image_address *a =
		IMAGE_ARRAY(h->image, struct image_address, addresses) + c->snat_address;

	if (c->snat_address >= h->snat_addresses || c->snat_address >= h->image->addresses.count ||
	    a->interface != c->rev.interface || a->family != c->rev.family)
		return 0;
	return a->family == FAMILY_V4 ? memcmp(&a->ip.b[12], &c->rev.dst, 4) == 0
				      : memcmp(a->ip.b, c->snat6, 16) == 0;
}

static int is_mine(const struct conn *c, const struct conn_heir *h)
{
	struct flow_key client;

	conn_forward_key(c, &client);
	return h->owners[shard_client_bucket(&client)] == h->worker;
}

static int call_fits(const struct conn *c)
{
	const struct call *call = &c->call;

	return (call->marks & CALL_OPEN) && call->listener == c->listener &&
	       call->cluster == c->cluster && call->endpoint == c->endpoint &&
	       call->reason < REASON_COUNT && (call->held & ~HELD) == 0;
}

static int fits(const struct conn *c, const struct conn_heir *h, uint8_t state)
{
	if (!keys_fit(c, h->image, state) || !snat_fits(c, h))
		return 0;
	if (c->listener >= h->listener_slots || c->cluster >= h->cluster_slots ||
	    c->endpoint >= h->endpoint_slots)
		return 0;
	if (c->syn_option_bytes > sizeof(c->syn_options) || c->syn_option_bytes % 4 != 0)
		return 0;
	if (state != CONN_TOMBSTONE && !is_mine(c, h))
		return 0;
	return !is_open(state) || call_fits(c);
}

static uint8_t wscale_of(uint8_t wscale, uint8_t state)
{
	if (wscale == WSCALE_NONE && state == CONN_SYN_SENT)
		return wscale;
	return wscale < WSCALE_MAX ? wscale : WSCALE_MAX;
}

/* Nothing of it is needed by what is over. */
static void forget_call(struct conn *c)
{
	c->call = (struct call){.listener = c->listener, .cluster = c->cluster};
}

static void derive(const struct conn_table *t, const struct conn_heir *h, struct conn *c,
		   uint8_t state)
{
	if (!is_open(state))
		forget_call(c);
	else if (c->call.marks & CALL_STARTED)
		c->call.marks |= UNFED;
	c->call.number = conn_number(t, c);
	c->fwd_wscale = wscale_of(c->fwd_wscale, state);
	c->rev_wscale = wscale_of(c->rev_wscale, state);
	/* Found again with the first packet. */
	c->neighbour_fwd = c->neighbour_rev = NEIGHBOUR_NONE;
	rewrite_prepare(c);
	if (state == CONN_RESTING && c->deadline_ns > h->now_ns + TCP_REST_NS)
		c->deadline_ns = h->now_ns + TCP_REST_NS;
	if (state == CONN_TOMBSTONE && c->deadline_ns > h->now_ns + TOMBSTONE_NS)
		c->deadline_ns = h->now_ns + TOMBSTONE_NS;
}

/* Return 0 when the port is @c's; *own when it is of this worker's. */
static int take_port(const struct conn_heir *h, const struct conn *c, int *own)
{
	const int udp = c->rev.proto == PROTO_UDP;
	const uint16_t port = be16toh(c->rev.dport);
	const uint32_t owner = h->owners[port % OWNER_BUCKETS];

	*own = owner == h->worker;
	if (*own)
		return snat_ports_take(h->snat[udp][c->snat_address], port);
	if (!h->lent)
		return -1;
	return lent_ports_borrow(h->lent, h->others[udp][owner][c->snat_address], c,
				 (uint8_t)h->worker);
}

static int take(struct conn_table *t, const struct conn_heir *h, struct conn *c, uint8_t state)
{
	const uint16_t port = be16toh(c->rev.dport);
	int own;

	if (!fits(c, h, state) || take_port(h, c, &own))
		return 0;
	derive(t, h, c, state);
	if (table_index(t, c, (enum conn_state)state)) {
		/* A borrowed port is nobody's then, until the next start. */
		if (own)
			snat_ports_return(h->snat[c->rev.proto == PROTO_UDP][c->snat_address],
					  port);
		return 0;
	}
	t->used++;
	t->tombstones += state == CONN_TOMBSTONE;
	h->carry_on(h->ctx, c);
	return 1;
}

static void drop(struct conn_table *t, struct conn *c)
{
	__atomic_store_n(&c->state, (uint8_t)CONN_FREE, __ATOMIC_RELEASE);
	table_free_push(t, c);
}

/* The buckets of an entry that comes soon; nothing of it is believed. */
static void warm(const struct conn_table *t, uint32_t number)
{
	const struct conn *c = &t->entries[number];

	if (c->state == CONN_FREE)
		return;
	__builtin_prefetch(index_bucket(t, index_hash_entry(t, c, FORWARD)), 1);
	__builtin_prefetch(index_bucket(t, index_hash_entry(t, c, REVERSE)), 1);
}

struct rest {
	uint64_t deadline_ns;
	uint32_t number;
} __attribute__((packed));

static int by_deadline(const void *a, const void *b)
{
	const struct rest *x = a, *y = b;

	return (x->deadline_ns > y->deadline_ns) - (x->deadline_ns < y->deadline_ns);
}

/* The resting list in order of time, from entries chained by own[].next. */
static int order_resting(struct conn_table *t, uint32_t head, uint32_t count)
{
	struct rest *rests = malloc(((size_t)count + 1) * sizeof(*rests));

	if (!rests)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		rests[i] = (struct rest){t->entries[head].deadline_ns, head};
		head = t->own[head].next;
	}
	qsort(rests, count, sizeof(*rests), by_deadline);
	for (uint32_t i = 0; i < count; i++)
		conn_rest(t, &t->entries[rests[i].number], rests[i].deadline_ns);
	free(rests);
	return 0;
}

int conn_table_adopt(struct conn_table *t, const struct conn_heir *heir, struct conn_adopted *out)
{
	uint32_t resting = 0, resting_head = CONN_NONE;

	*out = (struct conn_adopted){0};
	/* Downwards, so that the lowest free entries are taken first, as in a new table. */
	for (uint32_t i = t->capacity; i-- > 0;) {
		struct conn *c = &t->entries[i];
		/* Pairs with the release of the worker that made the entry. */
		uint8_t state = __atomic_load_n(&c->state, __ATOMIC_ACQUIRE);

		if (i >= AHEAD)
			warm(t, i - AHEAD);
		if (state == CONN_FREE) {
			table_free_push(t, c);
		} else if (state == CONN_WAITING) {
			out->waiting++;
			drop(t, c);
		} else if (state > CONN_TOMBSTONE || !take(t, heir, c, state)) {
			out->unreadable++;
			drop(t, c);
		} else if (state == CONN_RESTING) {
			t->own[i].next = resting_head;
			resting_head = i;
			resting++;
		} else {
			out->open += is_open(state);
			conn_schedule(t, c);
		}
	}
	out->resting = resting + t->tombstones;
	return order_resting(t, resting_head, resting);
}
