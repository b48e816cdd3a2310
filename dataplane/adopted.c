/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/adopted.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/policy/adoption.h"
#include "dataplane/policy/view_bind.h"

_Static_assert(MAX_ADDRESSES <= UINT8_MAX + 1, "endpoint_address holds a position");

enum { DEFAULT_DRAIN_MS = 30000 }; /* POLICY's, for clusters that left it */

static int find_stale_tables(struct adopted *a)
{
	a->stale_tables = calloc(a->image->clusters.count + 1, sizeof(*a->stale_tables));
	if (!a->stale_tables)
		return -ENOMEM;
	for (uint32_t i = 0; i < a->image->clusters.count; i++)
		if (adoption_table_is_stale(&a->view, i))
			a->stale_tables[a->stale_count++] = (uint16_t)i;
	return 0;
}

/* Each interface's first address of a family. */
static void find_own_addresses(struct adopted *a)
{
	const struct image_address *address =
		IMAGE_ARRAY(a->image, struct image_address, addresses);

	for (uint32_t i = a->image->addresses.count; i-- > 0;) {
		uint8_t(*own)[16] = address[i].family == FAMILY_V4 ? a->own4 : a->own6;

		if (address[i].flags & ADDRESS_KERNEL)
			continue;
		memcpy(own[address[i].interface], address[i].ip.b, 16);
	}
}

static int find_snat_addresses(struct adopted *a)
{
	const struct image_address *address =
		IMAGE_ARRAY(a->image, struct image_address, addresses);

	a->endpoint_address = calloc(a->image->endpoints.count + 1, 1);
	if (!a->endpoint_address)
		return -ENOMEM;
	for (uint32_t i = 0; i < a->image->endpoints.count; i++) {
		const struct image_endpoint *e = &a->view.endpoints[i];
		uint32_t at = 0;

		while (at < a->image->addresses.count &&
		       (address[at].interface != e->interface ||
			memcmp(&address[at].ip, &e->snat, sizeof(e->snat)) != 0))
			at++;
		if (at == a->image->addresses.count)
			return -ENOENT;
		a->endpoint_address[i] = (uint8_t)at;
	}
	return 0;
}

static int take_ends(struct adopted *a, const struct region *region)
{
	a->listener_slots = region->shape.listener_slots;
	a->endpoint_slots = region->shape.endpoint_slots;
	a->listener_drain = calloc(a->listener_slots, sizeof(*a->listener_drain));
	a->endpoint_drain = calloc(a->endpoint_slots, sizeof(*a->endpoint_drain));
	return a->listener_drain && a->endpoint_drain ? 0 : -ENOMEM;
}

int adopted_create(struct adopted **out, struct image_header *image, const struct region *region)
{
	struct adopted *a = calloc(1, sizeof(*a));
	int rc;

	if (!a) {
		free(image);
		return -ENOMEM;
	}
	a->image = image;
	a->generation = image->generation;
	find_own_addresses(a);
	rc = view_bind(&a->view, image, region, &a->maps);
	if (rc == 0)
		rc = take_ends(a, region);
	if (rc == 0)
		rc = find_snat_addresses(a);
	if (rc == 0)
		rc = find_stale_tables(a);
	if (rc == 0)
		rc = limiter_policy_make(&a->limits, &a->view, region->shape.listener_slots);
	if (rc) {
		adopted_free(a);
		return rc;
	}
	*out = a;
	return 0;
}

/* The drain of a cluster of @previous: as the new policy says when it still names it. */
static uint64_t drain_ns(const struct adopted *a, const struct adopted *previous, uint32_t cluster)
{
	uint16_t at = a->view.cluster_at[previous->view.cluster_slot[cluster]];
	const struct image_cluster *c =
		at == VIEW_NONE ? &previous->view.clusters[cluster] : &a->view.clusters[at];

	return c->timeouts.drain_ms * 1000000ull;
}

static void keep_drains(struct drain_span *spans, const struct drain_span *previous,
			const uint16_t *at, uint32_t slots)
{
	for (uint32_t i = 0; i < slots; i++)
		spans[i] = at[i] == VIEW_NONE ? previous[i] : (struct drain_span){0};
}

static struct drain_span span_from(uint64_t now_ns, uint64_t time_ns)
{
	return (struct drain_span){now_ns + time_ns / 2, now_ns + time_ns};
}

void adopted_drain(struct adopted *a, const struct adopted *previous, uint64_t now_ns)
{
	keep_drains(a->listener_drain, previous->listener_drain, a->view.listener_at,
		    a->listener_slots);
	keep_drains(a->endpoint_drain, previous->endpoint_drain, a->view.endpoint_at,
		    a->endpoint_slots);
	for (uint32_t i = 0; i < previous->image->listeners.count; i++) {
		uint16_t slot = previous->view.listener_slot[i];

		if (a->view.listener_at[slot] == VIEW_NONE)
			a->listener_drain[slot] = span_from(
				now_ns, drain_ns(a, previous, previous->view.listeners[i].cluster));
	}
	for (uint32_t i = 0; i < previous->image->clusters.count; i++) {
		const struct image_cluster *c = &previous->view.clusters[i];

		for (uint32_t k = 0; k < c->endpoint_count; k++) {
			uint16_t slot = previous->view.endpoint_slot[c->first_endpoint + k];

			if (a->view.endpoint_at[slot] == VIEW_NONE)
				a->endpoint_drain[slot] =
					span_from(now_ns, drain_ns(a, previous, i));
		}
	}
	for (uint32_t slot = 0; slot < a->listener_slots; slot++)
		if (a->listener_drain[slot].until_ns > now_ns)
			limiter_policy_keep(a->limits, previous->limits, slot);
}

static void drain_slot(struct drain_span *span, uint16_t at, uint64_t now_ns, uint64_t time_ns)
{
	if (at == VIEW_NONE && !span->until_ns)
		*span = span_from(now_ns, time_ns);
}

void adopted_drain_orphan(struct adopted *a, const struct conn *c, uint64_t now_ns)
{
	const uint16_t at = a->view.cluster_at[c->cluster];
	const uint64_t drain_ms =
		at == VIEW_NONE ? DEFAULT_DRAIN_MS : a->view.clusters[at].timeouts.drain_ms;
	const uint64_t time_ns = drain_ms * 1000000;

	drain_slot(&a->listener_drain[c->listener], a->view.listener_at[c->listener], now_ns,
		   time_ns);
	if (c->state != CONN_WAITING)
		drain_slot(&a->endpoint_drain[c->endpoint], a->view.endpoint_at[c->endpoint],
			   now_ns, time_ns);
}

static uint64_t next_look(const struct drain_span *spans, uint32_t slots, uint64_t after_ns,
			  uint64_t next)
{
	for (uint32_t i = 0; i < slots; i++) {
		const struct drain_span *s = &spans[i];
		uint64_t look_ns;

		if (s->until_ns <= after_ns)
			continue;
		look_ns = after_ns + (s->until_ns - s->from_ns) / DRAIN_STEPS + 1;
		if (look_ns < s->from_ns)
			look_ns = s->from_ns;
		if (look_ns > s->until_ns)
			look_ns = s->until_ns;
		if (look_ns < next)
			next = look_ns;
	}
	return next;
}

uint64_t adopted_next_look(const struct adopted *a, uint64_t after_ns)
{
	uint64_t next = next_look(a->listener_drain, a->listener_slots, after_ns, UINT64_MAX);

	return next_look(a->endpoint_drain, a->endpoint_slots, after_ns, next);
}

/* The low 16 bits, mirrored: as large a step as can be from one number to the next. */
static uint32_t mirrored(uint32_t number)
{
	number = (number & 0x5555) << 1 | (number >> 1 & 0x5555);
	number = (number & 0x3333) << 2 | (number >> 2 & 0x3333);
	number = (number & 0x0f0f) << 4 | (number >> 4 & 0x0f0f);
	return (number & 0x00ff) << 8 | (number >> 8 & 0x00ff);
}

uint64_t drain_end_ns(const struct drain_span *span, uint32_t entry)
{
	return span->until_ns ? span->from_ns + ((span->until_ns - span->from_ns) >> 16) *
							(mirrored(entry) + 1)
			      : UINT64_MAX;
}

void adopted_free(struct adopted *a)
{
	if (!a)
		return;
	free(a->maps);
	free(a->endpoint_address);
	free(a->stale_tables);
	free(a->limits);
	free(a->listener_drain);
	free(a->endpoint_drain);
	free(a->image);
	free(a);
}
