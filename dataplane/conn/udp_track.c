/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/udp_track.h"

#define NS_PER_MS 1000000ull

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t after(uint64_t from_ns, uint32_t ms)
{
	return ms ? from_ns + ms * NS_PER_MS : UINT64_MAX;
}

/* created_ns is on a line of its own: touched only where it matters. */
static uint64_t quiet_until(const struct conn *c, uint64_t now_ns, const struct image_timeouts *t)
{
	uint64_t until = after(now_ns, t->idle_udp_ms);

	return t->max_duration_ms ? earlier(until, after(c->created_ns, t->max_duration_ms))
				  : until;
}

static int waits_for_reply(const struct conn *c, const struct image_timeouts *t)
{
	return t->expect_reply_ms && !(c->flags & CONN_VERDICT);
}

static uint64_t deadline(const struct conn *c, uint64_t now_ns, const struct image_timeouts *t)
{
	uint64_t until = quiet_until(c, now_ns, t);

	return waits_for_reply(c, t) ? earlier(until, after(c->created_ns, t->expect_reply_ms))
				     : until;
}

void udp_track_open(struct conn *c, uint64_t now_ns, const struct image_timeouts *t)
{
	c->created_ns = now_ns;
	c->deadline_ns = deadline(c, now_ns, t);
}

int udp_track(struct conn *c, enum direction dir, uint64_t now_ns, const struct image_timeouts *t)
{
	int first = dir == REVERSE && !(c->flags & CONN_REPLIED);
	int had_verdict = c->flags & CONN_VERDICT;

	if (first)
		c->flags |= CONN_REPLIED | CONN_VERDICT;
	c->deadline_ns = deadline(c, now_ns, t);
	return first && !had_verdict;
}

enum udp_timer udp_track_expired(struct conn *c, uint64_t now_ns, const struct image_timeouts *t)
{
	if (c->deadline_ns > now_ns)
		return UDP_TIMER_NOTHING;
	if (!waits_for_reply(c, t) || after(c->created_ns, t->expect_reply_ms) > now_ns) {
		/* A reload took expect_reply away: no flow idles before its time. */
		c->deadline_ns = quiet_until(c, c->created_ns, t);
		return c->deadline_ns > now_ns ? UDP_TIMER_NOTHING : UDP_TIMER_OVER;
	}
	c->flags |= CONN_VERDICT;
	c->deadline_ns = quiet_until(c, now_ns, t);
	return UDP_TIMER_NO_REPLY;
}
