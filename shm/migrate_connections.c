/* SPDX-License-Identifier: Apache-2.0 */
#include <endian.h>
#include <string.h>

#include "shm/migrate_private.h"
#include "shm/owner.h"

/* Beside enum migrate_end. */
enum { FITS = -1 };

/* Two passes: what is open comes before what is over. */
struct tables {
	const struct move *m;
	uint32_t used[MAX_WORKERS];
	int resting; /* this pass's */
};

static int is_open(const struct conn *c)
{
	return c->state >= CONN_SYN_SENT && c->state <= CONN_CLOSING;
}

static int is_known_key(const struct conn_key *k)
{
	return (k->family == FAMILY_V4 || k->family == FAMILY_V6) &&
	       (k->proto == PROTO_TCP || k->proto == PROTO_UDP);
}

static int move_interface(const struct move *m, uint8_t *interface)
{
	if (*interface >= m->before->interfaces.count || m->interface[*interface] == MOVE_NOWHERE)
		return 0;
	*interface = m->interface[*interface];
	return 1;
}

/* Addresses have other places; this one is found by its value. */
static int move_snat(const struct move *m, struct conn *c)
{
	const struct image_address *a = IMAGE_ARRAY(m->after, struct image_address, addresses);
	const struct image_interface *i =
		&IMAGE_ARRAY(m->after, struct image_interface, interfaces)[c->rev.interface];
	const uint16_t port = be16toh(c->rev.dport);

	if (port < i->snat_port_low || port > i->snat_port_high)
		return 0;
	for (uint32_t n = 0; n < m->after->addresses.count; n++) {
		if (a[n].interface != c->rev.interface || a[n].family != c->rev.family)
			continue;
		if (c->rev.family == FAMILY_V4 ? memcmp(&a[n].ip.b[12], &c->rev.dst, 4) != 0
					       : memcmp(a[n].ip.b, c->snat6, 16) != 0)
			continue;
		c->snat_address = (uint8_t)n;
		return 1;
	}
	return 0;
}

static int move_slot16(const struct move *m, enum state_kind kind, uint16_t *slot)
{
	const uint32_t to = move_slot(m, kind, *slot);

	if (to >= CALL_NO_SLOT)
		return 0;
	*slot = (uint16_t)to;
	return 1;
}

/* Endpoints of earlier attempts: one that is not known any more was none. */
static void move_tried(const struct move *m, struct call *call)
{
	for (int i = 0; i < CALL_TRIED; i++)
		if (!move_slot16(m, STATE_ENDPOINT, &call->tried[i]))
			call->tried[i] = CALL_NO_SLOT;
}

static int move_names(const struct move *m, struct conn *c)
{
	struct call *call = &c->call;

	if (!move_slot16(m, STATE_LISTENER, &c->listener) ||
	    !move_slot16(m, STATE_CLUSTER, &c->cluster) ||
	    !move_slot16(m, STATE_ENDPOINT, &c->endpoint))
		return 0;
	call->listener = c->listener;
	call->cluster = c->cluster;
	call->endpoint = c->endpoint;
	move_tried(m, call);
	if (m->from->shape.source_lines != m->to->shape.source_lines)
		call->source = CALL_SOURCE_UNKNOWN;
	return 1;
}

static int is_one_call(const struct conn *c)
{
	return c->call.listener == c->listener && c->call.cluster == c->cluster &&
	       c->call.endpoint == c->endpoint;
}

static int rewrite(const struct move *m, struct conn *c)
{
	if (!is_known_key(&c->fwd) || !is_known_key(&c->rev) ||
	    c->fwd.interface >= m->before->interfaces.count ||
	    c->rev.interface >= m->before->interfaces.count || (is_open(c) && !is_one_call(c)))
		return MIGRATE_UNREADABLE;
	if (!move_interface(m, &c->fwd.interface) || !move_interface(m, &c->rev.interface))
		return MIGRATE_NO_INTERFACE;
	if (!move_snat(m, c))
		return MIGRATE_NO_ADDRESS;
	if (!move_names(m, c))
		return MIGRATE_NO_NAME;
	return FITS;
}

/* Of a given up attempt only the port counts, which is its bucket's. */
static uint32_t worker_of(const struct move *m, const struct conn *c)
{
	uint32_t bucket = be16toh(c->rev.dport) % OWNER_BUCKETS;
	uint8_t ip[16] = {0};

	if (c->state != CONN_TOMBSTONE) {
		if (c->fwd.family == FAMILY_V4)
			memcpy(ip + 12, &c->fwd.src, 4);
		else
			memcpy(ip, c->client6, 16);
		bucket = owner_client_bucket(ip, c->fwd.sport, c->fwd.proto);
	}
	return owner_of_bucket(bucket, m->to->shape.workers);
}

static void hand_one(uint64_t *from, uint64_t *to)
{
	if (*from == 0)
		return;
	--*from;
	++*to;
}

static void hand_call(struct call_counters *from, struct call_counters *to, int started)
{
	hand_one(&from->opened, &to->opened);
	if (started)
		hand_one(&from->started, &to->started);
}

/* What is under way at a worker is what its counters began and did not end. */
static void hand_over(const struct move *m, const struct conn *c, uint32_t from, uint32_t to)
{
	const int started = (c->call.marks & CALL_STARTED) != 0;
	const struct region *r = m->to;

	if (from == to)
		return;
	hand_call(&region_listener_counters(r, from, c->listener)->calls,
		  &region_listener_counters(r, to, c->listener)->calls, started);
	hand_call(region_cluster_counters(r, from, c->cluster),
		  region_cluster_counters(r, to, c->cluster), started);
	hand_call(region_endpoint_counters(r, from, c->endpoint),
		  region_endpoint_counters(r, to, c->endpoint), (c->call.held & CALL_ATTEMPT) != 0);
}

static void move_one(struct tables *t, uint32_t worker, uint32_t number)
{
	const struct move *m = t->m;
	struct conn c = region_connections(m->from, worker)[number];
	const int resting = c.state == CONN_RESTING || c.state == CONN_TOMBSTONE;
	uint32_t heir, at;
	int end;

	if (c.state == CONN_FREE || resting != t->resting)
		return;
	if (c.state == CONN_WAITING) {
		m->out->waiting++;
		return;
	}
	end = is_open(&c) || resting ? rewrite(m, &c) : MIGRATE_UNREADABLE;
	heir = end == FITS ? worker_of(m, &c) : 0;
	if (end == FITS && t->used[heir] == m->to->shape.connections_per_worker)
		end = MIGRATE_NO_ROOM;
	if (end != FITS) {
		/* Of what is over nothing is lost but the rest of a rest. */
		m->out->ended[end] += !resting;
		return;
	}
	at = t->used[heir]++;
	region_connections(m->to, heir)[at] = c;
	region_flow_limits(m->to, heir)[at] = region_flow_limits(m->from, worker)[number];
	m->out->carried += !resting;
	m->out->resting += resting;
	if (!resting)
		hand_over(m, &c, move_worker(m, worker), heir);
}

void migrate_connections(const struct move *m)
{
	struct tables t = {.m = m};

	for (t.resting = 0; t.resting < 2; t.resting++)
		for (uint32_t w = 0; w < m->from->shape.workers; w++)
			for (uint32_t i = 0; i < m->from->shape.connections_per_worker; i++)
				move_one(&t, w, i);
}
