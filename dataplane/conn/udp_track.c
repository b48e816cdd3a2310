/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/udp_track.h"

#define NS_PER_MS 1000000ull

static uint64_t quiet_until(const struct conn *c, uint64_t now_ns, const struct image_timeouts *t)
{
	uint64_t until = t->idle_udp_ms ? now_ns + t->idle_udp_ms * NS_PER_MS : UINT64_MAX;

	/* created_ns is on a line of its own: touched only where it matters. */
	if (t->max_duration_ms) {
		uint64_t end = c->created_ns + t->max_duration_ms * NS_PER_MS;

		if (end < until)
			until = end;
	}
	return until;
}

void udp_track_open(struct conn *c, uint64_t now_ns, const struct image_timeouts *t)
{
	c->created_ns = now_ns;
	c->deadline_ns = quiet_until(c, now_ns, t);
}

int udp_track(struct conn *c, enum direction dir, uint64_t now_ns, const struct image_timeouts *t)
{
	int had_verdict = c->flags & CONN_VERDICT;

	c->deadline_ns = quiet_until(c, now_ns, t);
	if (dir == FORWARD || (c->flags & CONN_REPLIED))
		return 0;
	c->flags |= CONN_REPLIED | CONN_VERDICT;
	return !had_verdict;
}
