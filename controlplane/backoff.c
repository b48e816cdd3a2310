/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/backoff.h"

uint32_t backoff_died(struct backoff *backoff, uint64_t life_ms)
{
	/* Third-last death to this one: the last two lives. */
	int often = backoff->deaths >= 2 && life_ms <= BACKOFF_WINDOW_MS &&
		    backoff->previous_life_ms <= BACKOFF_WINDOW_MS - life_ms;
	uint32_t delay_ms = BACKOFF_FIRST_MS;

	if (backoff->deaths < 2)
		backoff->deaths++;
	backoff->previous_life_ms = life_ms;
	if (!often) {
		backoff->level = 0;
		return 0;
	}
	for (uint32_t i = 0; i < backoff->level && delay_ms < BACKOFF_MAX_MS; i++)
		delay_ms *= 2;
	if (delay_ms >= BACKOFF_MAX_MS)
		return BACKOFF_MAX_MS;
	backoff->level++;
	return delay_ms;
}
