/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/residue.h"

#include <errno.h>
#include <stdlib.h>

#include "shm/region.h"

/* Frames of one worker that no counter has claimed. */
static uint64_t unclaimed(const struct packet_counters *p)
{
	uint64_t in = p->received + p->handed_in + p->originated;
	uint64_t out = p->transmitted + p->consumed + p->handed_out;

	for (int i = 0; i < REASON_SLOTS; i++)
		out += p->dropped[i];
	return in > out ? in - out : 0;
}

/*
 * Frames count first at their interface, then at the worker: what a burst between the two counted
 * is known.
 */
static void book_interfaces(const struct region *region, uint32_t worker)
{
	struct packet_counters *p = &region->workers[worker].packets;
	uint64_t received = 0, transmitted = 0;

	for (uint32_t i = 0; i < MAX_INTERFACES; i++) {
		received += region_interface_counters(region, worker, i)->rx_packets;
		transmitted += region_interface_counters(region, worker, i)->tx_packets;
	}
	if (p->received < received)
		p->received = received;
	if (p->transmitted < transmitted)
		p->transmitted = transmitted;
}

void residue_book_packets(const struct region *region)
{
	uint64_t handed_out = 0, handed_in = 0;
	struct packet_counters *first = &region->workers[0].packets;

	for (uint32_t i = 0; i < region->shape.workers; i++) {
		struct packet_counters *p = &region->workers[i].packets;

		p->held = 0;
		book_interfaces(region, i);
		p->dropped[REASON_DATAPLANE_RESTART] += unclaimed(p);
		handed_out += p->handed_out;
		handed_in += p->handed_in;
	}
	/* What lay in the rings: taken in and lost. */
	if (handed_out > handed_in) {
		first->handed_in += handed_out - handed_in;
		first->dropped[REASON_DATAPLANE_RESTART] += handed_out - handed_in;
	}
}

/* Raise what counts the beginnings or what counts the ends until as many as @now are between. */
static void settle(uint64_t *begun, uint64_t ended, uint64_t now, uint64_t *lost)
{
	if (*begun < ended + now)
		*begun = ended + now;
	*lost += *begun - ended - now;
}

static void book_calls(struct call_counters *c, const struct residue_level *level, uint64_t slot)
{
	settle(&c->started, c->succeeded + c->failed + c->cancelled + c->rejected,
	       level->calls[slot], &c->failed);
	settle(&c->opened, c->closed, level->open[slot], &c->closed);
}

/* A sum counts before its reasons: what they lack is what the death left without one. */
static void book_reasons(uint64_t reasons[REASON_SLOTS], uint64_t total)
{
	for (int i = 0; i < REASON_SLOTS; i++)
		total -= reasons[i] < total ? reasons[i] : total;
	reasons[REASON_DATAPLANE_RESTART] += total;
}

int residue_create(struct residue *r, const struct region_shape *shape)
{
	const size_t listeners = shape->listener_slots, clusters = shape->cluster_slots;
	const size_t slots = listeners + clusters + shape->endpoint_slots;
	uint32_t *at = calloc(2 * slots, sizeof(*at));

	if (!at)
		return -ENOMEM;
	r->listeners = (struct residue_level){at, at + slots};
	r->clusters = (struct residue_level){at + listeners, at + slots + listeners};
	r->endpoints = (struct residue_level){r->clusters.calls + clusters,
					      r->clusters.calls + clusters + slots};
	return 0;
}

void residue_destroy(struct residue *r)
{
	free(r->listeners.calls);
}

void residue_count(struct residue *r, const struct conn *c)
{
	const uint32_t started = (c->call.marks & CALL_STARTED) != 0;
	const uint32_t attempt = (c->call.held & CALL_ATTEMPT) != 0;

	r->listeners.calls[c->listener] += started;
	r->clusters.calls[c->cluster] += started;
	r->endpoints.calls[c->endpoint] += attempt;
	r->listeners.open[c->listener]++;
	r->clusters.open[c->cluster]++;
	r->endpoints.open[c->endpoint]++;
}

void residue_book_calls(const struct region *region, uint32_t worker, const struct residue *r)
{
	const struct region_shape *shape = &region->shape;

	for (uint32_t i = 0; i < shape->listener_slots; i++) {
		struct listener_counters *l = region_listener_counters(region, worker, i);

		book_calls(&l->calls, &r->listeners, i);
		book_reasons(l->rejected, l->calls.rejected);
		book_reasons(l->failed, l->calls.failed);
	}
	for (uint32_t i = 0; i < shape->cluster_slots; i++) {
		struct call_counters *c = region_cluster_counters(region, worker, i);
		struct policy_counters *p = region_policy_counters(region, worker, i);

		book_calls(c, &r->clusters, i);
		book_reasons(p->rejected, c->rejected);
		book_reasons(p->failed, c->failed);
	}
	for (uint32_t i = 0; i < shape->endpoint_slots; i++)
		book_calls(region_endpoint_counters(region, worker, i), &r->endpoints, i);
}
