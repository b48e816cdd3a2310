/* SPDX-License-Identifier: Apache-2.0 */
/* A worker that dies and its successor: connections of one table, taken over as often as wanted. */
#ifndef FENDER_TESTS_UNIT_DATAPLANE_ADOPT_WORLD_H
#define FENDER_TESTS_UNIT_DATAPLANE_ADOPT_WORLD_H

#include "dataplane/conn/adopt.h"
#include "dataplane/conn/index.h"
#include "dataplane/conn/shard.h"
#include "dataplane/conn/tcp_track.h"
#include "dataplane/net/neighbour.h"
#include "dataplane/pkt/rewrite.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEIR_SLOTS = 16,
	HEIR_ADDRESSES = 2, /* IPv4 and IPv6 of interface 1 */
	HEIR_LOW = 40000,
	HEIR_HIGH = 40255,
	HEIR_SEED = 0x5eed,
};

#define HEIR_NOW 100000000000ull

struct heir_world {
	struct {
		struct image_header header;
		struct image_interface interfaces[2];
		struct image_address addresses[HEIR_ADDRESSES];
	} image;
	uint8_t owners[OWNER_BUCKETS];
	struct snat_ports *snat[2][HEIR_ADDRESSES];
	struct conn_table table;
	struct conn_heir heir;
	struct conn_adopted adopted;
	uint32_t carried_on;
};

static inline void heir_carry_on(void *ctx, struct conn *c)
{
	struct heir_world *w = ctx;

	w->carried_on++;
	/* Whoever is told reads all of it. */
	if (c->listener >= HEIR_SLOTS || c->cluster >= HEIR_SLOTS || c->endpoint >= HEIR_SLOTS)
		abort();
}

static inline void heir_free_ports(struct heir_world *w)
{
	for (int proto = 0; proto < 2; proto++)
		for (int i = 0; i < HEIR_ADDRESSES; i++)
			snat_ports_destroy(w->snat[proto][i]);
}

/* Ports all free, as in a process that has just started. */
static inline void heir_new_ports(struct heir_world *w)
{
	for (int proto = 0; proto < 2; proto++)
		for (int i = 0; i < HEIR_ADDRESSES; i++)
			w->snat[proto][i] =
				snat_ports_create(HEIR_LOW, HEIR_HIGH, w->owners, 0, HEIR_SEED);
}

static inline void heir_create(struct heir_world *w, struct conn *entries, uint32_t capacity)
{
	memset(w, 0, sizeof(*w));
	w->image.header.interfaces =
		(struct image_span){offsetof(__typeof__(w->image), interfaces), 2};
	w->image.header.addresses =
		(struct image_span){offsetof(__typeof__(w->image), addresses), HEIR_ADDRESSES};
	w->image.addresses[0] = (struct image_address){
		.ip = image_ip_v4(htobe32(0x0a4d0201)), .family = FAMILY_V4, .interface = 1};
	w->image.addresses[1] = (struct image_address){.family = FAMILY_V6, .interface = 1};
	w->image.addresses[1].ip.b[0] = 0xfd;
	w->image.addresses[1].ip.b[15] = 1;
	shard_owners(w->owners, 1);
	heir_new_ports(w);
	w->heir = (struct conn_heir){
		.image = &w->image.header,
		.owners = w->owners,
		.snat = {w->snat[0], w->snat[1]},
		.snat_addresses = HEIR_ADDRESSES,
		.listener_slots = HEIR_SLOTS,
		.cluster_slots = HEIR_SLOTS,
		.endpoint_slots = HEIR_SLOTS,
		.now_ns = HEIR_NOW,
		.carry_on = heir_carry_on,
		.ctx = w,
	};
	if (conn_table_init(&w->table, entries, capacity, HEIR_SEED, HEIR_NOW))
		abort();
}

static inline void heir_destroy(struct heir_world *w)
{
	conn_table_free(&w->table);
	heir_free_ports(w);
}

/* The process is gone: of all it had, the entries are left. Its successor takes them over. */
static inline int heir_succeed(struct heir_world *w)
{
	struct conn *entries = w->table.entries;
	uint32_t capacity = w->table.capacity;

	heir_destroy(w);
	heir_new_ports(w);
	w->carried_on = 0;
	if (conn_table_open(&w->table, entries, capacity, HEIR_SEED, w->heir.now_ns))
		abort();
	return conn_table_adopt(&w->table, &w->heir, &w->adopted);
}

/* Entry @id under way, of IPv6 when odd, filled as flow_open.c does; not in the index. */
static inline struct conn *heir_fill(struct heir_world *w, uint32_t id, uint8_t proto)
{
	const int v6 = id % 2;
	struct conn *c = conn_alloc(&w->table);
	uint16_t port = (uint16_t)(HEIR_LOW + id % (HEIR_HIGH - HEIR_LOW + 1));

	if (!c || snat_ports_take(w->snat[proto == PROTO_UDP][v6], port))
		abort();
	c->fwd = (struct conn_key){.sport = htobe16((uint16_t)(1024 + id)),
				   .dport = htobe16(80),
				   .proto = proto,
				   .family = v6 ? FAMILY_V6 : FAMILY_V4};
	c->rev = (struct conn_key){.sport = htobe16(8080),
				   .dport = htobe16(port),
				   .interface = 1,
				   .proto = proto,
				   .family = c->fwd.family};
	if (v6) {
		c->client6[0] = c->listener6[0] = c->endpoint6[0] = 0xfd;
		memcpy(&c->client6[12], &id, sizeof(id));
		memcpy(c->snat6, w->image.addresses[1].ip.b, 16);
	} else {
		c->fwd.src = htobe32(0x0a4d0102);
		c->fwd.dst = htobe32(0x0a4d0101);
		c->rev.src = htobe32(0x0a4d020b);
		memcpy(&c->rev.dst, &w->image.addresses[0].ip.b[12], 4);
	}
	c->snat_address = (uint8_t)v6;
	c->listener = 1;
	c->cluster = 2;
	c->endpoint = (uint16_t)(3 + id % 4);
	c->deadline_ns = HEIR_NOW + 1000000000ull + id;
	c->call = (struct call){.listener = 1,
				.cluster = 2,
				.endpoint = c->endpoint,
				.number = conn_number(&w->table, c),
				.marks = CALL_OPEN | CALL_STARTED,
				.held = CALL_ENDPOINT_PERMIT | CALL_CLUSTER_PERMIT | CALL_ATTEMPT};
	rewrite_prepare(c);
	return c;
}

static inline struct conn *heir_open(struct heir_world *w, uint32_t id, enum conn_state state)
{
	struct conn *c = heir_fill(w, id, PROTO_TCP);

	if (conn_insert(&w->table, c, state))
		abort();
	conn_schedule(&w->table, c);
	return c;
}

#endif
