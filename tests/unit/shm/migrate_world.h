/* SPDX-License-Identifier: Apache-2.0 */
/* A region with connections, and the one it is carried over to. */
#ifndef FENDER_TESTS_SHM_MIGRATE_WORLD_H
#define FENDER_TESTS_SHM_MIGRATE_WORLD_H

#include "shm/migrate.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "shm/names.h"
#include "shm/owner.h"
#include "shm/publish.h"
#include "shm/registry.h"
#include "tests/unit/shm/sample_image.h"
#include "tests/unit/shm/suite.h"

enum { CONNECTIONS = 40, SNAT = 2 /* 10.2.0.1 in the sample */ };

static struct region from, to;
static struct sample *before, *after;
static struct migrated out;
static char why[160];

static inline void make(struct region *region, const struct region_spec *spec, const char *test)
{
	if (region_create(region, region_path(test), spec, why, sizeof(why)))
		abort();
	unlink(region_path(test));
}

enum kind { OF_LISTENER, OF_CLUSTER, OF_ENDPOINT };

static inline uint16_t slot_of(const struct region *r, enum kind kind, const char *name)
{
	const struct registry_entry *entries[] = {r->listener_registry, r->cluster_registry,
						  r->endpoint_registry};
	const uint32_t slots[] = {r->shape.listener_slots, r->shape.cluster_slots,
				  r->shape.endpoint_slots};

	return (uint16_t)registry_find(entries[kind], slots[kind], name_key(name));
}

static inline uint32_t worker_of(const struct conn *c, uint32_t workers)
{
	uint8_t ip[16] = {0};

	memcpy(ip + 12, &c->fwd.src, 4);
	return owner_of_bucket(owner_client_bucket(ip, c->fwd.sport, c->fwd.proto), workers);
}

static inline struct conn connection(uint32_t id, enum conn_state state)
{
	struct conn c = {
		.fwd = {.src = htobe32(0x0a010063),
			.dst = htobe32(0x0a010001),
			.sport = htobe16((uint16_t)(1024 + id)),
			.dport = htobe16(80),
			.proto = PROTO_TCP,
			.family = FAMILY_V4},
		.rev = {.src = htobe32(0x0a02000b),
			.dst = htobe32(0x0a020001),
			.sport = htobe16(80),
			.dport = htobe16((uint16_t)(33000 + id)),
			.interface = 1,
			.proto = PROTO_TCP,
			.family = FAMILY_V4},
		.state = (uint8_t)state,
		.snat_address = SNAT,
		.listener = slot_of(&from, OF_LISTENER, "orders"),
		.cluster = slot_of(&from, OF_CLUSTER, "orders"),
		.endpoint = slot_of(&from, OF_ENDPOINT, "orders/10.2.0.11:80"),
	};

	c.call = (struct call){.listener = c.listener,
			       .cluster = c.cluster,
			       .endpoint = c.endpoint,
			       .marks = CALL_OPEN | CALL_STARTED,
			       .held = CALL_ATTEMPT,
			       .tried = {c.endpoint, CALL_NO_SLOT, 7, CALL_NO_SLOT}};
	return c;
}

static inline void count_begun(const struct conn *c, uint32_t worker)
{
	struct call_counters *all[] = {
		&region_listener_counters(&from, worker, c->listener)->calls,
		region_cluster_counters(&from, worker, c->cluster),
		region_endpoint_counters(&from, worker, c->endpoint),
	};

	for (int i = 0; i < 3; i++) {
		all[i]->started++;
		all[i]->opened++;
	}
}

/* The next free entry of its worker's table. */
static inline struct conn *add(const struct conn *c)
{
	const uint32_t worker = worker_of(c, from.shape.workers);
	struct conn *entry = region_connections(&from, worker);

	while (entry->state != CONN_FREE)
		entry++;
	*entry = *c;
	region_flow_limits(&from, worker)[entry - region_connections(&from, worker)].to[0].shape =
		be16toh(c->fwd.sport);
	if (c->state >= CONN_SYN_SENT && c->state <= CONN_CLOSING)
		count_begun(c, worker);
	return entry;
}

static inline void begin(const struct region_spec *spec)
{
	uint64_t generation;

	make(&from, spec, "from");
	publisher_begin(&from);
	before = sample_make(SAMPLE_MAGLEV, 1);
	after = sample_make(SAMPLE_MAGLEV, 2);
	for (int i = 0; i < 3; i++)
		if (publish(&from, &before->header, 1, &generation))
			abort();
	image_seal(&before->header, generation);
}

static inline int migrate(const struct region_spec *spec)
{
	const struct migration m = {&from, &to, &before->header, &after->header};

	make(&to, spec, "to");
	image_seal(&after->header, 0);
	return region_migrate(&m, &out, why, sizeof(why));
}

static inline void end(void)
{
	region_close(&from);
	region_close(&to);
	free(before);
	free(after);
}

static inline struct region_spec spec_of(uint32_t workers, uint32_t connections, uint32_t listeners,
					 uint32_t clusters, uint32_t endpoints)
{
	struct region_spec spec = small_spec();

	spec.workers = workers;
	spec.connections = connections;
	spec.listeners = listeners;
	spec.clusters = clusters;
	spec.endpoints = endpoints;
	return spec;
}

static inline uint64_t sum_begun(const struct region *r)
{
	const uint16_t slot = slot_of(r, OF_LISTENER, "orders");
	uint64_t sum = 0;

	for (uint32_t w = 0; w < r->shape.workers; w++)
		sum += region_listener_counters(r, w, slot)->calls.started;
	return sum;
}

#endif
