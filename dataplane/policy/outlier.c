/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/outlier.h"
#include "dataplane/policy/usable.h"

static uint64_t most_ejected(const struct image_outlier *rules, uint32_t endpoints)
{
	uint64_t most = (uint64_t)rules->max_ejected * endpoints / 10000;

	return most == 0 && rules->max_ejected && endpoints >= 2 ? 1 : most;
}

int outlier_take(uint64_t *ejected, const struct image_outlier *rules, uint32_t endpoints)
{
	uint64_t most = most_ejected(rules, endpoints);
	uint64_t n = __atomic_load_n(ejected, __ATOMIC_RELAXED);

	do {
		if (n >= most)
			return 0;
		/* Acquire and release: the sum in another_remains() stands on the order of takes.
		 */
	} while (!__atomic_compare_exchange_n(ejected, &n, n + 1, 0, __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
	return 1;
}

void outlier_give_back(uint64_t *ejected)
{
	uint64_t n = __atomic_load_n(ejected, __ATOMIC_RELAXED);

	while (n > 0 && !__atomic_compare_exchange_n(ejected, &n, n - 1, 0, __ATOMIC_ACQ_REL,
						     __ATOMIC_RELAXED))
		;
}

static struct endpoint_state *state_of(const struct ejection *e, uint32_t endpoint)
{
	return &e->s->endpoints[e->v->endpoint_slot[endpoint]];
}

static uint64_t *ejected_word(const struct ejection *e)
{
	return &e->s->clusters[e->v->cluster_slot[e->cluster]].ejected;
}

/*
 * Does a usable endpoint remain once this one, already taken, and all others that are taken but
 * not open yet are gone? Those are what the cluster's word counts beyond the breakers not closed.
 */
static int another_remains(const struct ejection *e)
{
	const struct image_cluster *c = &e->v->clusters[e->cluster];
	uint64_t taken = __atomic_load_n(ejected_word(e), __ATOMIC_ACQUIRE);
	uint64_t usable = 0, gone = 1;

	for (uint32_t i = 0; i < c->endpoint_count; i++) {
		const struct endpoint_state *s = state_of(e, c->first_endpoint + i);
		uint64_t word = __atomic_load_n(&s->breaker, __ATOMIC_ACQUIRE);

		if (c->first_endpoint + i == e->endpoint)
			continue;
		gone += breaker_unpack(word).phase != BREAKER_CLOSED;
		usable += endpoint_usability(s, c, e->now_ns) == USABLE;
	}
	return usable > (taken > gone ? taken - gone : 0);
}

static int may_open(void *ctx)
{
	const struct ejection *e = ctx;
	const struct image_cluster *c = &e->v->clusters[e->cluster];

	if (!outlier_take(ejected_word(e), &c->outlier, c->endpoint_count))
		return 0;
	if (another_remains(e))
		return 1;
	outlier_give_back(ejected_word(e));
	return 0;
}

static void undo(void *ctx)
{
	outlier_give_back(ejected_word(ctx));
}

struct breaker outlier_breaker(struct ejection *e)
{
	uint16_t slot = e->v->endpoint_slot[e->endpoint];
	struct endpoint_state *s = &e->s->endpoints[slot];
	uint64_t admin = __atomic_load_n(&s->admin, __ATOMIC_RELAXED);

	return (struct breaker){
		.word = &s->breaker,
		.rules = &e->v->clusters[e->cluster].outlier.breaker,
		.window = {.recorded = &s->recorded,
			   .count = &s->window,
			   .outcomes = &e->s->endpoint_outcomes[slot],
			   .stride = e->s->endpoint_slots,
			   .workers = e->s->workers},
		.override = admin_unpack(admin).override,
		.guard = {.ctx = e, .may_open = may_open, .undo = undo},
	};
}
