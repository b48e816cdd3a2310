/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Defaults that depend on other keys: one key in the file never contradicts a default of
 * another, the default gives way. What the reference says of them stands in the schema table.
 */
#include "config/checks.h"

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void settle_timeouts(struct policy_cluster *cluster)
{
	struct policy_timeouts *t = &cluster->timeouts;
	uint64_t attempts = check_retries(cluster) ? 2 : 1;

	if (!check_given(&t->map, "connect"))
		t->connect_ms = larger(smaller(t->connect_ms, t->request_ms / attempts), 1);
	else if (!check_given(&t->map, "request"))
		t->request_ms = larger(t->request_ms, t->connect_ms * attempts);
}

static void settle_window(struct policy_breaker *b)
{
	if (b->window.calls == 0)
		return;
	if (!check_given(&b->map, "window"))
		b->window.calls = larger(b->window.calls, (b->minimum_calls + 9) / 10 * 10);
	else if (!check_given(&b->map, "minimum_calls"))
		b->minimum_calls = smaller(b->minimum_calls, b->window.calls);
}

static void settle_breaker(struct policy_breaker *b, const struct policy_bulkhead *bulkhead,
			   const struct policy_timeouts *timeouts)
{
	struct policy_half_open *half_open = &b->half_open;

	settle_window(b);
	if (!check_given(&b->map, "max_open_for"))
		b->max_open_ms = larger(b->max_open_ms, b->open_ms);
	else if (!check_given(&b->map, "open_for"))
		b->open_ms = smaller(b->open_ms, b->max_open_ms);
	if (!check_given(&half_open->map, "timeout"))
		half_open->timeout_ms = larger(half_open->timeout_ms, timeouts->connect_ms);
	if (!check_given(&half_open->map, "probes") && check_limit(bulkhead) != 0)
		half_open->probes = smaller(half_open->probes, check_limit(bulkhead));
}

static void settle_backoff(struct policy_backoff *backoff)
{
	if (!check_given(&backoff->map, "max"))
		backoff->max_us = larger(backoff->max_us, backoff->base_us);
	else if (!check_given(&backoff->map, "base"))
		backoff->base_us = smaller(backoff->base_us, backoff->max_us);
}

static void settle_health_check(struct policy_health_check *h)
{
	if (!check_given(&h->map, "interval") && check_given(&h->map, "timeout"))
		h->interval_ms = larger(h->interval_ms, h->timeout_ms);
	if (h->unhealthy_interval_ms == 0)
		h->unhealthy_interval_ms = h->interval_ms;
	if (!check_given(&h->map, "timeout"))
		h->timeout_ms =
			smaller(h->timeout_ms, smaller(h->interval_ms, h->unhealthy_interval_ms));
}

/* The kernel takes ports of the usual range on a shared interface. */
static void settle_ports(struct policy_interface *i)
{
	if (i->shared && !check_given(&i->snat.map, "ports"))
		i->snat.ports =
			(struct value_port_range){POLICY_SHARED_PORT_LOW, POLICY_SHARED_PORT_HIGH};
}

void policy_settle(struct policy *policy)
{
	for (size_t i = 0; i < policy->interfaces.count; i++)
		settle_ports(&policy->interfaces.items[i]);
	for (size_t i = 0; i < policy->clusters.count; i++) {
		struct policy_cluster *cluster = &policy->clusters.items[i];

		settle_timeouts(cluster);
		settle_breaker(&cluster->circuit_breaker, &cluster->bulkhead, &cluster->timeouts);
		settle_breaker(&cluster->outlier_detection.breaker, &cluster->endpoint_bulkhead,
			       &cluster->timeouts);
		settle_backoff(&cluster->retry.backoff);
		settle_health_check(&cluster->health_check);
	}
}
