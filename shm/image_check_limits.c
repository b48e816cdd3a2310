/* SPDX-License-Identifier: Apache-2.0 */
/* A listener's rate limits and the guard of reloads. What is absent is zero throughout. */
#include "shm/image_check.h"

#include <errno.h>
#include <string.h>

enum { MILLION = 1000 * 1000 };

static int limit_ok(const struct image_limit *l)
{
	static const struct image_limit none;
	uint64_t count;

	if (l->algorithm == IMAGE_LIMIT_NONE)
		return memcmp(l, &none, sizeof(none)) == 0;
	if (l->algorithm > IMAGE_LIMIT_SLIDING_WINDOW || l->pad[0] || l->pad[1] || l->pad[2] ||
	    l->rate == 0 || l->rate > MAX_LIMIT_RATE)
		return 0;
	if (l->algorithm < IMAGE_LIMIT_FIXED_WINDOW)
		return l->window_ms == 0 && l->burst != 0 && l->burst <= MAX_LIMIT_BURST &&
		       l->burst <= l->rate * MAX_LIMIT_FILL_S;
	if (l->burst != 0 || l->window_ms < MIN_LIMIT_WINDOW_MS ||
	    l->window_ms > MAX_LIMIT_WINDOW_MS)
		return 0;
	count = l->rate * l->window_ms / 1000;
	return count != 0 && count <= MAX_LIMIT_COUNT;
}

/* Of connections' starts: nothing to mark, and nothing to do where there is no limit. */
static int start_action_ok(const struct image_limit *l, uint8_t action)
{
	return action == IMAGE_LIMIT_DROP ||
	       (action == IMAGE_LIMIT_OBSERVE && l->algorithm != IMAGE_LIMIT_NONE);
}

static int per_connection_ok(const struct image_listener *l)
{
	const struct image_rate_limit *r = &l->rate_limit;

	if (r->packets.algorithm == IMAGE_LIMIT_NONE && r->bytes.algorithm == IMAGE_LIMIT_NONE)
		return r->action == IMAGE_LIMIT_DROP && r->directions == 0;
	if (r->directions == 0 ||
	    (r->directions & ~(IMAGE_LIMIT_TO_ENDPOINT | IMAGE_LIMIT_TO_CLIENT)) ||
	    r->action > IMAGE_LIMIT_OBSERVE)
		return 0;
	/* Any UDP packet may begin a flow: entries must be limited. TCP alone reacts to a mark. */
	return l->proto != PROTO_UDP ||
	       (r->action != IMAGE_LIMIT_MARK && r->source.algorithm != IMAGE_LIMIT_NONE &&
		r->listener.algorithm != IMAGE_LIMIT_NONE);
}

int image_rate_limit_ok(const struct image_listener *l)
{
	const struct image_rate_limit *r = &l->rate_limit;

	return limit_ok(&r->packets) && limit_ok(&r->bytes) && limit_ok(&r->source) &&
	       limit_ok(&r->listener) && per_connection_ok(l) &&
	       start_action_ok(&r->source, r->source_action) &&
	       start_action_ok(&r->listener, r->listener_action) && r->pad == 0;
}

int image_check_guard(const struct image_header *img, const struct why *why)
{
	const struct image_guard *g = &img->guard;
	static const struct image_guard none;

	if (g->watch_ms == 0 ? memcmp(g, &none, sizeof(none)) != 0
			     : g->watch_ms > MAX_GUARD_WATCH_MS || g->error_rate_ppm > MILLION ||
				       g->p99_us > MAX_GUARD_P99_US || g->minimum_calls == 0 ||
				       g->minimum_calls > MAX_GUARD_CALLS ||
				       (g->error_rate_ppm == 0 && g->p99_us == 0))
		return why_fail(why, -EINVAL, "guard of reloads out of bounds");
	return 0;
}
