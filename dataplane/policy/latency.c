/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/latency.h"

enum { FIRST_NS = 64000, LAST_OCTAVE = LATENCY_BUCKETS / 4 - 1, ONE = 1 << 16 };

/* 2^(1/4), 2^(2/4), 2^(3/4) in 16.16: where the buckets of an octave begin. */
static const uint32_t begins[] = {77936, 92682, 110218};
/* FIRST_NS * 2^(1/8), 2^(3/8), 2^(5/8), 2^(7/8): their middles. */
static const uint64_t middle_ns[] = {69792, 82998, 98701, 117377};

static uint32_t bucket_of(uint64_t latency_ns)
{
	uint32_t octave, rest, quarter = 0;
	uint64_t x;

	if (latency_ns < FIRST_NS)
		return 0;
	if (latency_ns >= (uint64_t)FIRST_NS << (LAST_OCTAVE + 1))
		return LATENCY_BUCKETS - 1;
	x = latency_ns * ONE / FIRST_NS;
	octave = 63 - (uint32_t)__builtin_clzll(x) - 16;
	rest = (uint32_t)(x >> octave);
	for (uint32_t i = 0; i < 3; i++)
		quarter += rest >= begins[i];
	return 4 * octave + quarter;
}

void latency_add(struct outcomes *o, uint64_t latency_ns)
{
	uint32_t at = bucket_of(latency_ns);

	if (o->latency[at] == UINT16_MAX) {
		o->latencies = 0;
		for (uint32_t i = 0; i < LATENCY_BUCKETS; i++) {
			uint16_t half = o->latency[i] / 2;

			__atomic_store_n(&o->latency[i], half, __ATOMIC_RELEASE);
			o->latencies += half;
		}
	}
	__atomic_store_n(&o->latency[at], (uint16_t)(o->latency[at] + 1), __ATOMIC_RELEASE);
	o->latencies++;
}

uint64_t latency_median_ns(const uint32_t sum[LATENCY_BUCKETS])
{
	uint64_t all = 0, seen = 0;
	uint32_t i = 0;

	for (uint32_t k = 0; k < LATENCY_BUCKETS; k++)
		all += sum[k];
	if (all == 0)
		return 0;
	for (; i < LATENCY_BUCKETS - 1; i++) {
		seen += sum[i];
		if (2 * seen >= all)
			break;
	}
	return middle_ns[i % 4] << (i / 4);
}
