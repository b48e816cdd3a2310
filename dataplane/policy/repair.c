/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/repair.h"

#include "dataplane/policy/bulkhead.h"
#include "shm/limits.h"

/* Who changed the word meanwhile keeps it: it is looked at again with the next round. */
static unsigned int put(const struct repair *r, uint64_t *word, uint64_t seen, uint64_t value)
{
	if (r->counted)
		__atomic_compare_exchange_n(word, &seen, value, 0, __ATOMIC_ACQ_REL,
					    __ATOMIC_RELAXED);
	return 1;
}

static uint64_t look(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static unsigned int repair_count(const struct repair *r, uint64_t *word, uint64_t counted)
{
	const uint64_t seen = look(word);

	return seen > r->most ? put(r, word, seen, counted) : 0;
}

static unsigned int repair_bulkhead(const struct repair *r, struct bulkhead_state *s,
				    uint64_t counted)
{
	const uint64_t seen = look(&s->word);
	unsigned int n = repair_count(r, &s->overshoot_max, 0);

	if (bulkhead_in_flight(seen) > r->most || bulkhead_queued(seen) > r->most ||
	    bulkhead_queued(seen) > 2 * MAX_QUEUE)
		n += put(r, &s->word, seen, counted);
	return n;
}

static unsigned int repair_phase(const struct repair *r, uint64_t *word)
{
	if (breaker_unpack(look(word)).phase <= BREAKER_HALF_OPEN)
		return 0;
	if (r->counted)
		breaker_word_reset(word);
	return 1;
}

static unsigned int repair_time(const struct repair *r, uint64_t *at_ns)
{
	const uint64_t seen = look(at_ns);
	/* Another worker's clock may be ahead of ours. */
	const uint64_t ahead_ns = 1000000000;

	return seen > r->now_ns + ahead_ns ? put(r, at_ns, seen, 0) : 0;
}

static unsigned int repair_cluster(const struct repair *r, uint32_t slot)
{
	static const struct cluster_state none;
	const struct cluster_state *counted = r->counted ? &r->counted->clusters[slot] : &none;
	struct cluster_state *c = &r->state->clusters[slot];

	return repair_bulkhead(r, &c->bulkhead, counted->bulkhead.word) +
	       repair_count(r, &c->attempts_in_flight, counted->attempts_in_flight) +
	       repair_count(r, &c->retries_in_flight, counted->retries_in_flight) +
	       repair_phase(r, &c->breaker) + repair_time(r, &c->ramp_ns);
}

static unsigned int repair_endpoint(const struct repair *r, uint32_t slot)
{
	struct endpoint_state *e = &r->state->endpoints[slot];

	return repair_count(r, &e->in_flight,
			    r->counted ? r->counted->endpoints[slot].in_flight : 0) +
	       repair_phase(r, &e->breaker) + repair_time(r, &e->ramp_ns);
}

/* Endpoints that are not closed; the word is raised before one opens, so a swap shows a change. */
static unsigned int repair_ejected(const struct repair *r, uint32_t cluster, int phases_changed)
{
	const struct policy_view *v = r->view;
	const struct image_cluster *c = &v->clusters[cluster];
	uint64_t *word = &r->state->clusters[v->cluster_slot[cluster]].ejected;
	const uint64_t seen = look(word);
	uint64_t ejected = 0;

	if (seen <= c->endpoint_count && !phases_changed)
		return 0;
	for (uint32_t k = 0; k < c->endpoint_count; k++) {
		const uint16_t slot = v->endpoint_slot[c->first_endpoint + k];

		ejected += breaker_unpack(look(&r->state->endpoints[slot].breaker)).phase !=
			   BREAKER_CLOSED;
	}
	return seen != ejected ? put(r, word, seen, ejected) : 0;
}

unsigned int repair_words(const struct repair *r)
{
	const struct policy_state *s = r->state;
	unsigned int phases = 0, n = 0;

	for (uint32_t i = 0; i < s->listener_slots; i++)
		n += repair_bulkhead(r, &s->listeners[i].bulkhead,
				     r->counted ? r->counted->listeners[i].bulkhead.word : 0);
	for (uint32_t i = 0; i < s->cluster_slots; i++)
		n += repair_cluster(r, i);
	for (uint32_t i = 0; i < s->endpoint_slots; i++) {
		unsigned int before = breaker_unpack(look(&s->endpoints[i].breaker)).phase;

		n += repair_endpoint(r, i);
		phases += before > BREAKER_HALF_OPEN;
	}
	for (uint32_t i = 0; i < r->view->image->clusters.count; i++)
		n += repair_ejected(r, i, phases != 0);
	for (uint32_t i = 0; i < s->source_lines; i++)
		for (uint32_t k = 0; k < SOURCES_PER_LINE; k++) {
			uint64_t *word = &s->sources[i].word[k];
			const uint64_t seen = look(word);

			/* The line's other words may be the source's too: none is better than many.
			 */
			if ((uint32_t)seen > r->most)
				n += put(r, word, seen, 0);
		}
	return n;
}
