/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/budget.h"

#include "shm/limits.h"

uint64_t backoff_ns(const struct image_retry *rules, uint32_t k, uint64_t random)
{
	const uint64_t max_ns = (uint64_t)rules->max_us * 1000;
	const uint32_t steps = k < MAX_ATTEMPTS ? k : MAX_ATTEMPTS;
	uint64_t delay_ns = (uint64_t)rules->base_us * 1000;

	/* Below max_ns < 2^42 at every product, so that no factor up to 1000 % overflows. */
	for (uint32_t i = 1; i < steps && delay_ns < max_ns; i++)
		delay_ns = delay_ns * rules->factor_percent / 100;
	delay_ns = delay_ns < max_ns ? delay_ns : max_ns;
	if (rules->jitter == JITTER_NONE)
		return delay_ns;
	return (uint64_t)((unsigned __int128)random * delay_ns >> 64);
}
