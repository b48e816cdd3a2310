/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New maps for connections that are there: without their owners' words the program, once it is
 * attached, would take their packets for the kernel's on a shared interface, and the kernel would
 * reset them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "controlplane/limits_private.h"
#include "controlplane/limits_seed.h"

enum { EPOCH = 1, NOWHERE = UINT32_MAX };

/* Where the ports of each address of the image lie. */
struct seed {
	uint64_t *words;
	uint32_t count;
	struct {
		uint32_t first; /* NOWHERE: it has no ports here */
		uint16_t low;
		uint16_t high;
	} of[MAX_ADDRESSES];
};

static const struct limits_interface *interface_of(const struct limits_policy *policy,
						   uint8_t number)
{
	for (size_t i = 0; i < policy->interface_count; i++)
		if (policy->interfaces[i].number == number)
			return &policy->interfaces[i];
	return NULL;
}

/* The row of @image that @a stands for; the count when there is none. */
static uint32_t address_of(const struct image_header *image, const struct limits_address *a)
{
	const struct image_address *rows = IMAGE_ARRAY(image, struct image_address, addresses);
	uint32_t n = 0;

	while (n < image->addresses.count && (rows[n].interface != a->interface ||
					      memcmp(&rows[n].ip, &a->ip, sizeof(a->ip)) != 0))
		n++;
	return n;
}

/* In the order of plan_addresses(). */
static void find_places(struct seed *s, const struct limits_policy *policy,
			const struct image_header *image)
{
	uint32_t place = 0;

	for (uint32_t i = 0; i < MAX_ADDRESSES; i++)
		s->of[i].first = NOWHERE;
	for (size_t i = 0; i < policy->address_count; i++) {
		const struct limits_address *a = &policy->addresses[i];
		const struct limits_interface *interface = interface_of(policy, a->interface);
		const uint32_t n = address_of(image, a);

		if (!interface || a->kernel || !interface->snat_low)
			continue;
		if (n < MAX_ADDRESSES && n < image->addresses.count) {
			s->of[n].first = place;
			s->of[n].low = interface->snat_low;
			s->of[n].high = interface->snat_high;
		}
		place += 2 * ((uint32_t)(interface->snat_high - interface->snat_low) + 1);
	}
}

/* Nothing of @c is believed. */
static void seed_one(const struct seed *s, const struct conn *c)
{
	const uint16_t port = ntohs(c->rev.dport);
	const uint8_t n = c->snat_address;
	uint64_t at;

	if (c->state == CONN_FREE || c->state == CONN_WAITING || s->of[n].first == NOWHERE ||
	    port < s->of[n].low || port > s->of[n].high)
		return;
	at = (uint64_t)s->of[n].first + (port - s->of[n].low);
	if (c->rev.proto == PROTO_UDP)
		at += (uint64_t)(s->of[n].high - s->of[n].low) + 1;
	if (at < s->count)
		__atomic_store_n(&s->words[at], LIMIT_OWNER(c->listener, EPOCH), __ATOMIC_RELAXED);
}

int limits_seed(const struct limits *l, const struct limits_policy *policy,
		const struct image_header *image, const struct region *region)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t bytes = (l->sizes.snat_ports * sizeof(uint64_t) + page - 1) / page * page;
	const uint64_t entries =
		(uint64_t)region->shape.workers * region->shape.connections_per_worker;
	struct seed s = {.count = l->sizes.snat_ports};

	if (bytes == 0)
		return 0;
	s.words = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, l->fd.snat_owner, 0);
	if (s.words == MAP_FAILED)
		return -errno;
	find_places(&s, policy, image);
	for (uint64_t i = 0; i < entries; i++)
		seed_one(&s, &region->connections[i]);
	munmap(s.words, bytes);
	return 0;
}
