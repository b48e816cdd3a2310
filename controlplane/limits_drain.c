/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/limits_drain.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Workers reset a few a turn. A dataplane that is started anew gives the whole time once more. */
enum { NS_PER_MS = 1000000, SLACK_MS = 1000, DRAINS = 2 };

static int is_ipv4(const struct limit_ip *ip)
{
	return !ip->word[0] && !ip->word[1] && ip->word[2] == htonl(0xffff);
}

static int is_any(const struct limit_ip *ip)
{
	return !ip->word[0] && !ip->word[1] && !ip->word[3] && (!ip->word[2] || is_ipv4(ip));
}

static int same_ip(const struct limit_ip *a, const struct limit_ip *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Every packet to @old's address belongs to @taker now. */
static int takes_place(const struct limits_listener *taker, const struct limits_listener *old)
{
	return taker->interface == old->interface && taker->proto == old->proto &&
	       taker->port == old->port &&
	       (same_ip(&taker->ip, &old->ip) ||
		(is_any(&taker->ip) && is_ipv4(&taker->ip) == is_ipv4(&old->ip)));
}

static int is_taken(const struct limits_wish *next, const struct limits_listener *old)
{
	for (size_t i = 0; i < next->policy.listener_count; i++)
		if (takes_place(&next->listeners[i], old))
			return 1;
	return 0;
}

static const struct limits_listener *find_number(const struct limits_wish *wish, uint32_t number)
{
	for (size_t i = 0; i < wish->policy.listener_count; i++)
		if (wish->listeners[i].number == number)
			return &wish->listeners[i];
	return NULL;
}

/*
 * A listener that moved keeps its connections. Where all packets are Fender's in any case, its
 * former address is its own as long as it has any.
 */
static int stays(const struct limits_wish *next, const struct limits_listener *old)
{
	for (size_t i = 0; i < next->policy.interface_count; i++)
		if (next->interfaces[i].number == old->interface)
			return next->interfaces[i].exclusive && find_number(next, old->number);
	return 0;
}

static void add(struct limits_drain *out, const struct limits_wish *next,
		const struct limits_listener *old, uint64_t until_ns)
{
	const struct limits_listener *moved = find_number(next, old->number);
	struct limits_leaver *to = &out->rows[out->count];

	if (is_taken(next, old))
		return;
	*to = (struct limits_leaver){*old, stays(next, old) ? UINT64_MAX : until_ns};
	if (moved)
		to->listener.rules = moved->rules;
	out->count++;
}

/* When a listener of @before is over that leaves now. 0: it is none of them. */
static uint64_t end_of(const struct limits_wish *before, uint32_t number, uint64_t now_ns)
{
	for (size_t i = 0; i < before->policy.listener_count; i++)
		if (before->listeners[i].number == number)
			return now_ns +
			       ((uint64_t)before->drain_ms[i] * DRAINS + SLACK_MS) * NS_PER_MS;
	return 0;
}

int limits_drain_change(struct limits_drain *out, const struct limits_drain *d,
			const struct limits_wish *before, const struct limits_wish *next,
			uint64_t now_ns)
{
	size_t most = d->count + (before ? before->policy.listener_count : 0);

	*out = (struct limits_drain){.rows = calloc(most + 1, sizeof(*out->rows))};
	if (!out->rows)
		return -ENOMEM;
	for (size_t i = 0; i < d->count; i++) {
		const struct limits_leaver *row = &d->rows[i];
		int stayed = before && row->until_ns == UINT64_MAX;

		add(out, next, &row->listener,
		    stayed ? end_of(before, row->listener.number, now_ns) : row->until_ns);
	}
	for (size_t i = 0; before && i < before->policy.listener_count; i++)
		add(out, next, &before->listeners[i],
		    end_of(before, before->listeners[i].number, now_ns));
	return 0;
}

size_t limits_drain_expire(struct limits_drain *d, uint64_t now_ns, limits_idle *idle, void *ctx)
{
	size_t kept = 0, before = d->count;

	for (size_t i = 0; i < before; i++)
		if (d->rows[i].until_ns > now_ns && !idle(ctx, d->rows[i].listener.number))
			d->rows[kept++] = d->rows[i];
	d->count = kept;
	return before - kept;
}

struct limits_listener *limits_drain_join(const struct limits_drain *d,
					  const struct limits_wish *next)
{
	size_t count = next->policy.listener_count;
	struct limits_listener *all = calloc(d->count + count + 1, sizeof(*all));

	if (!all)
		return NULL;
	for (size_t i = 0; i < d->count; i++)
		all[i] = d->rows[i].listener;
	if (count)
		memcpy(all + d->count, next->listeners, count * sizeof(*all));
	return all;
}

void limits_drain_free(struct limits_drain *d)
{
	free(d->rows);
	*d = (struct limits_drain){0};
}
