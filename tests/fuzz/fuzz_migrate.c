/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what an instance left in its region: it is carried over to another shape. Input:
 * records of 8 bytes (word of the region behind the checked part of its header, mask for it).
 */
#include <stdint.h>

#include "tests/unit/shm/migrate_world.h"

enum { RECORD = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *pristine;

static void must(int holds)
{
	if (!holds)
		abort();
}

static void first_time(void)
{
	const struct region_spec spec = small_spec();

	begin(&spec);
	for (uint32_t id = 0; id < CONNECTIONS; id++) {
		const struct conn c = connection(id, (enum conn_state)(1 + id % CONN_TOMBSTONE));

		add(&c);
	}
	pristine = malloc(from.bytes);
	must(pristine != NULL);
	memcpy(pristine, from.header, from.bytes);
}

static void spoil(const uint8_t *data, size_t size)
{
	const size_t fixed = offsetof(struct region_header, active);
	const size_t words = (from.bytes - fixed) / 4;
	uint8_t *base = (uint8_t *)from.header + fixed;

	for (; size >= RECORD; data += RECORD, size -= RECORD) {
		uint32_t word, mask;

		memcpy(&word, data, sizeof(word));
		memcpy(&mask, data + 4, sizeof(mask));
		for (int i = 0; i < 4; i++)
			base[word % words * 4 + (size_t)i] ^= (uint8_t)(mask >> 8 * i);
	}
}

static uint32_t live(void)
{
	const uint32_t count = to.shape.workers * to.shape.connections_per_worker;
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct conn *c = &to.connections[i];

		if (c->state == CONN_FREE)
			continue;
		n++;
		must(c->listener < to.shape.listener_slots && c->cluster < to.shape.cluster_slots);
		must(c->endpoint < to.shape.endpoint_slots);
		must(c->fwd.interface < SAMPLE_INTERFACES && c->rev.interface < SAMPLE_INTERFACES);
		must(c->snat_address < SAMPLE_ADDRESSES);
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct region_spec other = spec_of(3, 100, 5, 6, 9);

	if (!pristine)
		first_time();
	memcpy(from.header, pristine, from.bytes);
	spoil(data, size);
	must(migrate(size % 2 ? &other
			      : &(const struct region_spec){"unit", 2, MIN_CONNECTIONS, 4, 5, 8,
							    MIN_SLOT_BYTES}) == 0);
	must(live() == out.carried + out.resting);
	must(active_generation(to.header->active) == out.generation);
	region_close(&to);
	return 0;
}
