/* SPDX-License-Identifier: Apache-2.0 */
/* One cluster and its endpoints in plain memory: view, state and guarded breakers. */
#ifndef FENDER_TESTS_UNIT_DATAPLANE_OUTLIER_WORLD_H
#define FENDER_TESTS_UNIT_DATAPLANE_OUTLIER_WORLD_H

#include "dataplane/policy/outlier.h"
#include "dataplane/policy/usable.h"
#include "tests/unit/dataplane/breaker_bench.h"

enum { WORLD_ENDPOINTS = 16, WORLD_WORKERS = 3, WORLD_FIRST = 2, WORLD_SLOTS = 24 };

/* Slots are not positions, and the cluster's endpoints are not the first of the image. */
struct outlier_world {
	struct image_cluster cluster;
	struct image_endpoint endpoints[WORLD_FIRST + WORLD_ENDPOINTS];
	uint16_t cluster_slot;
	uint16_t endpoint_slot[WORLD_FIRST + WORLD_ENDPOINTS];
	struct policy_view view;
	struct cluster_state cluster_state;
	struct endpoint_state states[WORLD_SLOTS];
	struct outcomes outcomes[WORLD_WORKERS][WORLD_SLOTS];
	struct event_ring events;
	struct policy_state state;
};

static inline void world_start(struct outlier_world *w, uint32_t endpoints)
{
	memset(w, 0, sizeof(*w));
	w->cluster.first_endpoint = WORLD_FIRST;
	w->cluster.endpoint_count = endpoints;
	w->cluster.outlier = (struct image_outlier){.breaker = bench_rules(),
						    .max_ejected = 5000,
						    .interval_ms = 10000,
						    .minimum_hosts = 5,
						    .minimum_calls = 100};
	w->cluster.outlier.breaker.consecutive_failures = 5;
	for (uint32_t i = 0; i < WORLD_FIRST + WORLD_ENDPOINTS; i++) {
		w->endpoint_slot[i] = (uint16_t)(WORLD_SLOTS - 1 - i);
		w->endpoints[i].key = 1000 + i;
	}
	w->view = (struct policy_view){.clusters = &w->cluster,
				       .endpoints = w->endpoints,
				       .cluster_slot = &w->cluster_slot,
				       .endpoint_slot = w->endpoint_slot};
	w->state = (struct policy_state){.clusters = &w->cluster_state,
					 .endpoints = w->states,
					 .cluster_slots = 1,
					 .endpoint_slots = WORLD_SLOTS,
					 .workers = WORLD_WORKERS,
					 .events = &w->events,
					 .endpoint_outcomes = w->outcomes[0]};
}

static inline struct ejection world_ejection(const struct outlier_world *w, uint32_t endpoint,
					     uint64_t now_ns)
{
	return (struct ejection){.v = &w->view,
				 .s = &w->state,
				 .endpoint = WORLD_FIRST + endpoint,
				 .now_ns = now_ns};
}

static inline struct endpoint_state *world_state(struct outlier_world *w, uint32_t endpoint)
{
	return &w->states[w->endpoint_slot[WORLD_FIRST + endpoint]];
}

static inline struct breaker_word world_word(struct outlier_world *w, uint32_t endpoint)
{
	return breaker_unpack(
		__atomic_load_n(&world_state(w, endpoint)->breaker, __ATOMIC_ACQUIRE));
}

/* Endpoints whose breaker is not closed. */
static inline uint32_t world_ejected(struct outlier_world *w)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->cluster.endpoint_count; i++)
		n += world_word(w, i).phase != BREAKER_CLOSED;
	return n;
}

static inline void world_admin(struct outlier_world *w, uint32_t endpoint, struct admin_word a)
{
	world_state(w, endpoint)->admin = admin_pack(a);
}

/* A call to @endpoint that begins and ends now, as the engine does it. */
static inline enum breaker_edge world_call(struct outlier_world *w, uint32_t endpoint, int failed,
					   uint64_t now_ns)
{
	struct ejection e = world_ejection(w, endpoint, now_ns);
	struct breaker b = outlier_breaker(&e);
	struct breaker_outcome o = {.failed = (uint8_t)failed};
	enum breaker_admission a;
	enum breaker_edge edge;
	int stale;

	a = breaker_admit(&b, now_ns, &o.epoch, &edge);
	if (a != BREAKER_ADMIT && a != BREAKER_ADMIT_PROBE)
		return edge;
	o.probe = a == BREAKER_ADMIT_PROBE;
	edge = breaker_record(&b, &o, now_ns, &stale);
	if (edge == EDGE_CLOSED)
		outlier_give_back(&w->cluster_state.ejected);
	return edge;
}

#endif
