/* SPDX-License-Identifier: Apache-2.0 */
/* When the next probe goes out and what its result means. Pure. */
#ifndef FENDER_CONTROLPLANE_HEALTH_SCHEDULE_H
#define FENDER_CONTROLPLANE_HEALTH_SCHEDULE_H

#include <stdint.h>

#include "controlplane/health_reason.h"
#include "shm/image.h"
#include "shm/state.h"

enum { HEALTH_JITTER_PERCENT = 15, HEALTH_SPREAD_MS = 1000 };

/* What is known of one endpoint. */
struct health_track {
	uint8_t health; /* enum health_state */
	uint8_t why;    /* unhealthy: enum health_reason */
	uint8_t streak; /* results in a row that speak against health */
};

/**
 * health_track_result() - take the end of a probe into account
 * @reason: HEALTH_REASON_NONE: it succeeded
 * While nothing is known the first result decides, later it takes a threshold in a row.
 * Return: 1 when the health changed.
 */
int health_track_result(struct health_track *t, const struct image_health_check *rules,
			enum health_reason reason);

/* From the start of a probe to the next: the interval +-15 %. @random: any number. */
uint64_t health_wait_ms(const struct image_health_check *rules, uint8_t health, uint64_t random);

/* To the first probe: within the interval, at most a second, so that many are spread. */
uint64_t health_first_wait_ms(const struct image_health_check *rules, uint64_t random);

/**
 * health_admin_word() - @word with the health of @t
 * An endpoint that was in use before it was known to be healthy does not begin slowly: since_ms
 * is 0 then.
 */
uint64_t health_admin_word(uint64_t word, const struct health_track *t,
			   const struct image_health_check *rules, uint32_t now_ms);

#endif
