/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/lb/ewma.h"

#include "dataplane/lb/elapsed.h"
#include "shm/state.h"

enum {
	EXP2_BITS = 5,
	EXP2_STEPS = 1 << EXP2_BITS,
	ONE = 65536,
	SWAPS = 8, /* of a sample: one that loses as many is dropped, others were taken */
	/* A smaller step waits for time to add up, so that rounding to 1 us hurries nothing... */
	COALESCE_US = 8,
	/* ...but no longer: reading decays by the word's time. The step then is 1 us at least. */
	COALESCE_MS = 100,
};
/* log2(e) / EWMA_DECAY_MS in 24.40 */
#define LOG2_PER_MS 158625997ull
_Static_assert(EWMA_DECAY_MS == 10000, "LOG2_PER_MS is made from it");

/* 2^(-i / EXP2_STEPS) in 1.31 */
static const uint32_t exp2_table[EXP2_STEPS + 1] = {
	0x80000000, 0x7d41d96e, 0x7a92be8b, 0x77f25cce, 0x75606374, 0x72dc8374, 0x70666f76,
	0x6dfddbcc, 0x6ba27e65, 0x69540ec9, 0x6712460b, 0x64dcdec3, 0x62b39509, 0x60962665,
	0x5e8451d0, 0x5c7dd7a4, 0x5a82799a, 0x5891fac1, 0x56ac1f75, 0x54d0ad5a, 0x52ff6b55,
	0x51382182, 0x4f7a9930, 0x4dc69cdd, 0x4c1bf829, 0x4a7a77d4, 0x48e1e9ba, 0x47521cc6,
	0x45cae0f2, 0x444c0740, 0x42d561b4, 0x4166c34c, 0x40000000,
};

uint32_t ewma_decay(uint32_t ms)
{
	uint64_t power = ms * LOG2_PER_MS;
	uint32_t halvings = (uint32_t)(power >> 40);
	uint32_t fraction = (uint32_t)(power >> 8);
	uint32_t i = fraction >> (32 - EXP2_BITS);
	uint64_t rest = (uint32_t)(fraction << EXP2_BITS);
	uint64_t value;

	if (halvings > 16)
		return 0;
	value = exp2_table[i] - ((exp2_table[i] - exp2_table[i + 1]) * rest >> 32);
	value >>= halvings;
	return (uint32_t)((value + (1 << 14)) >> 15);
}

static uint32_t sample_us(uint64_t latency_ns, int failed)
{
	uint64_t us = latency_ns / 1000;

	if (failed && us < EWMA_PENALTY_US)
		return EWMA_PENALTY_US;
	if (us > UINT32_MAX)
		return UINT32_MAX;
	return us != 0 ? (uint32_t)us : 1;
}

/* The word after a sample; itself when nothing changes, time stamp included. */
static uint64_t blended(uint64_t word, uint32_t sample, uint32_t now_ms)
{
	uint32_t estimate = (uint32_t)(word >> 32);
	uint32_t elapsed = elapsed_ms(now_ms, (uint32_t)word);
	uint64_t less;

	if (word == 0 || sample >= estimate)
		return (uint64_t)sample << 32 | now_ms;
	less = ((uint64_t)(estimate - sample) * (ONE - ewma_decay(elapsed)) + ONE / 2) >> 16;
	if (less < COALESCE_US && elapsed < COALESCE_MS)
		return word;
	return (estimate - (less != 0 ? less : 1)) << 32 | now_ms;
}

void ewma_sample(uint64_t *word, uint64_t latency_ns, int failed, uint64_t now_ns)
{
	uint32_t sample = sample_us(latency_ns, failed);
	uint64_t old = __atomic_load_n(word, __ATOMIC_RELAXED);

	for (int i = 0; i < SWAPS; i++) {
		uint64_t new = blended(old, sample, state_ms(now_ns));

		if (new == old || __atomic_compare_exchange_n(word, &old, new, 0, __ATOMIC_RELAXED,
							      __ATOMIC_RELAXED))
			return;
	}
}

uint32_t ewma_read(uint64_t word, uint64_t now_ns)
{
	uint32_t elapsed = elapsed_ms(state_ms(now_ns), (uint32_t)word);

	if (word == 0)
		return EWMA_UNMEASURED_US;
	return (uint32_t)((word >> 32) * ewma_decay(elapsed) >> 16);
}
