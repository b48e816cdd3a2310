/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/health_schedule.h"

int health_track_result(struct health_track *t, const struct image_health_check *rules,
			enum health_reason reason)
{
	uint8_t found = reason == HEALTH_REASON_NONE ? HEALTH_HEALTHY : HEALTH_UNHEALTHY;
	uint8_t needed =
		found == HEALTH_HEALTHY ? rules->healthy_threshold : rules->unhealthy_threshold;

	if (found == t->health) {
		t->streak = 0;
		return 0;
	}
	if (t->health != HEALTH_UNKNOWN && ++t->streak < needed)
		return 0;
	t->health = found;
	t->why = (uint8_t)reason;
	t->streak = 0;
	return 1;
}

uint64_t health_wait_ms(const struct image_health_check *rules, uint8_t health, uint64_t random)
{
	uint64_t interval =
		health == HEALTH_UNHEALTHY ? rules->unhealthy_interval_ms : rules->interval_ms;
	uint64_t jitter = interval * HEALTH_JITTER_PERCENT / 100;

	return interval - jitter + random % (2 * jitter + 1);
}

uint64_t health_first_wait_ms(const struct image_health_check *rules, uint64_t random)
{
	uint64_t most =
		rules->interval_ms < HEALTH_SPREAD_MS ? rules->interval_ms : HEALTH_SPREAD_MS;

	return random % (most + 1);
}

uint64_t health_admin_word(uint64_t word, const struct health_track *t,
			   const struct image_health_check *rules, uint32_t now_ms)
{
	struct admin_word a = admin_unpack(word);

	if (a.health == HEALTH_UNKNOWN && t->health == HEALTH_HEALTHY && !rules->initial_unhealthy)
		a.since_ms = 0;
	else if (a.health != t->health)
		a.since_ms = now_ms != 0 ? now_ms : 1;
	a.health = t->health;
	a.why = t->health == HEALTH_UNHEALTHY ? t->why : HEALTH_REASON_NONE;
	return admin_pack(a);
}
