/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/residue.h"

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

static void book_packets(const struct region *region)
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

/* Calls that had no verdict. */
static void book_calls(struct call_counters *c)
{
	uint64_t ended = c->succeeded + c->failed + c->cancelled + c->rejected;

	if (c->started > ended)
		c->failed += c->started - ended;
	if (c->closed < c->opened)
		c->closed = c->opened;
}

/* A sum counts before its reasons: what they lack is what the death left without one. */
static void book_reasons(uint64_t reasons[REASON_SLOTS], uint64_t total)
{
	for (int i = 0; i < REASON_SLOTS; i++)
		total -= reasons[i] < total ? reasons[i] : total;
	reasons[REASON_DATAPLANE_RESTART] += total;
}

void residue_book(const struct region *region)
{
	const struct region_shape *shape = &region->shape;

	book_packets(region);
	for (uint64_t i = 0; i < (uint64_t)shape->workers * shape->listener_slots; i++) {
		struct listener_counters *l = &region->listener_counters[i];

		book_calls(&l->calls);
		book_reasons(l->rejected, l->calls.rejected);
		book_reasons(l->failed, l->calls.failed);
	}
	for (uint64_t i = 0; i < (uint64_t)shape->workers * shape->cluster_slots; i++) {
		struct call_counters *c = &region->cluster_counters[i];

		book_calls(c);
		book_reasons(region->policy_counters[i].rejected, c->rejected);
		book_reasons(region->policy_counters[i].failed, c->failed);
	}
	for (uint64_t i = 0; i < (uint64_t)shape->workers * shape->endpoint_slots; i++)
		book_calls(&region->endpoint_counters[i]);
}
