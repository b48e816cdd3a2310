/* SPDX-License-Identifier: Apache-2.0 */
/* One cluster with its tables and state in memory, slot == position, to pick endpoints of. */
#ifndef FENDER_TESTS_UNIT_DATAPLANE_LB_WORLD_H
#define FENDER_TESTS_UNIT_DATAPLANE_LB_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/maglev.h"
#include "config/ring_hash.h"
#include "config/round_robin.h"
#include "dataplane/lb/candidates.h"
#include "shm/names.h"
#include "tests/unit/dataplane/suite.h"

enum { LB_HOSTS = 400, LB_ENTRIES = 1 << 20, LB_POINTS = 160, LB_TABLE = 65537 };
#define LB_NOW_NS 1000000000000ull

struct lb_world {
	struct image_header image;
	struct image_cluster cluster;
	struct image_endpoint endpoints[LB_HOSTS];
	struct endpoint_state states[LB_HOSTS];
	uint16_t slots[LB_HOSTS];
	uint16_t table[LB_ENTRIES];
	uint64_t points[LB_ENTRIES];
	struct policy_view view;
	struct policy_state state;
	struct random random;
	uint32_t cursor;
	char names[LB_HOSTS][ENDPOINT_NAME_BYTES];
};

static inline void lb_must(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "the test cannot go on: %s\n", what);
	abort();
}

static inline void lb_round_robin(struct lb_world *w, uint32_t count)
{
	uint16_t weights[LB_HOSTS];

	for (uint32_t i = 0; i < count; i++)
		weights[i] = w->endpoints[i].weight;
	w->cluster.table_count = round_robin_reduce(weights, count);
	lb_must(round_robin_build(weights, count, w->cluster.table_count, w->table) == 0, "cycle");
}

static inline void lb_tables(struct lb_world *w, uint32_t count)
{
	struct lb_host hosts[LB_HOSTS];

	for (uint32_t i = 0; i < count; i++)
		hosts[i] = (struct lb_host){w->names[i], w->endpoints[i].weight};
	switch (w->cluster.algorithm) {
	case LB_MAGLEV:
		w->cluster.table_count = LB_TABLE;
		lb_must(maglev_build(hosts, count, LB_TABLE, w->table) == 0, "maglev");
		break;
	case LB_RING_HASH:
		w->cluster.table_count = (uint32_t)ring_hash_count(hosts, count, LB_POINTS);
		lb_must(w->cluster.table_count <= LB_ENTRIES, "room for the ring");
		lb_must(ring_hash_build(hosts, count, LB_POINTS, w->points, w->table) == 0, "ring");
		break;
	default:
		lb_round_robin(w, count);
	}
}

/* Endpoints numbered @hosts[], @weights[] of them (either NULL: 0, 1, 2...; 1 each), no state. */
static inline struct lb_world *lb_world_of(enum image_algorithm algorithm, uint32_t count,
					   const uint32_t *hosts, const uint32_t *weights)
{
	struct lb_world *w = calloc(1, sizeof(*w));

	lb_must(w != NULL && count <= LB_HOSTS, "memory");
	w->image.generation = 1;
	w->cluster.algorithm = (uint8_t)algorithm;
	w->cluster.endpoint_count = count;
	w->cluster.balance.priorities = 1;
	w->cluster.health = (struct image_health_check){.type = HEALTH_TCP, .mode = MODE_ENFORCE};
	for (uint32_t i = 0; i < count; i++) {
		uint32_t host = hosts != NULL ? hosts[i] : i;

		snprintf(w->names[i], sizeof(w->names[i]), "10.2.%u.%u:8080", host / 250,
			 host % 250 + 1);
		w->endpoints[i].key = endpoint_key("web", w->names[i]);
		w->endpoints[i].weight = (uint16_t)(weights != NULL ? weights[i] : 1);
		w->cluster.weight_sum += w->endpoints[i].weight;
		w->slots[i] = (uint16_t)i;
	}
	if (count != 0)
		lb_tables(w, count);
	w->view = (struct policy_view){.image = &w->image,
				       .clusters = &w->cluster,
				       .endpoints = w->endpoints,
				       .tables = w->table,
				       .points = w->points,
				       .endpoint_slot = w->slots};
	w->state = (struct policy_state){.endpoints = w->states, .endpoint_slots = LB_HOSTS};
	w->random.state = 88172645463325252ull;
	return w;
}

/* Ready for its first candidate. */
static inline struct candidates lb_candidates(struct lb_world *w, uint64_t hash)
{
	struct candidates c;

	memset(&c, 0xa5, sizeof(c)); /* nothing is expected to be zero */
	c.view = &w->view;
	c.state = &w->state;
	c.cluster = &w->cluster;
	c.hash = hash;
	c.now_ns = LB_NOW_NS;
	c.random = &w->random;
	c.cursor = &w->cursor;
	candidates_begin(&c);
	return c;
}

static inline uint32_t lb_first(struct lb_world *w, uint64_t hash)
{
	struct candidates c = lb_candidates(w, hash);

	return candidates_next(&c);
}

static inline void lb_set_health(struct lb_world *w, uint32_t number, enum health_state health,
				 uint32_t since_ms)
{
	struct admin_word admin = {.health = (uint8_t)health, .since_ms = since_ms};

	w->states[number].admin = admin_pack(admin);
}

static inline void lb_set_drained(struct lb_world *w, uint32_t number)
{
	w->states[number].admin = admin_pack((struct admin_word){.drained = 1});
}

/* splitmix64: evenly spread keys, the same in every run */
static inline uint64_t lb_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

#endif
