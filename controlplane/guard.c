/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "controlplane/liveness.h"
#include "controlplane/log.h"
#include "controlplane/stats_sum.h"
#include "shm/histogram.h"
#include "shm/registry.h"

enum { PPM = 1000000, P99 = 9900 };

#define NS_A_MS 1000000ull

struct outcome {
	uint64_t failed; /* rejected ones included */
	uint64_t calls;
};

struct watched {
	char name[NAME_BYTES];
	uint32_t slot;
	struct outcome begun; /* when the watch began */
	struct histogram_sum first_byte;
};

struct guard {
	struct guard_config config;
	uv_timer_t timer;
	struct image_guard rules;
	uint64_t end_ns;
	struct watched *clusters;
	uint32_t count;
};

/* By their reasons: what is booked after a death is in the sum of failed calls before it has one.
 */
static struct outcome outcome_of(const struct region *region, uint32_t slot)
{
	struct policy_counters policy;
	struct call_counters calls;
	struct outcome out = {0};

	stats_sum_policy(&policy, region, slot);
	stats_sum_cluster(&calls, region, slot);
	for (int i = 0; i < REASON_SLOTS; i++)
		if (i != REASON_DATAPLANE_RESTART)
			out.failed += policy.failed[i] + policy.rejected[i];
	out.calls = out.failed + calls.succeeded;
	return out;
}

static struct outcome outcome_since(const struct watched *w, const struct region *region)
{
	const struct outcome now = outcome_of(region, w->slot);

	return (struct outcome){now.failed - w->begun.failed, now.calls - w->begun.calls};
}

static int too_many_errors(const struct guard *g, const struct watched *w, char *why, size_t size)
{
	const struct outcome o = outcome_since(w, g->config.region);

	if (!g->rules.error_rate_ppm || o.calls < g->rules.minimum_calls || o.calls == 0 ||
	    o.failed * PPM < o.calls * g->rules.error_rate_ppm)
		return 0;
	snprintf(
		why, size,
		"cluster %s: %lu of %lu calls failed (%.1f%%) since the change, rollback_if allows "
		"less than %.1f%%",
		w->name, o.failed, o.calls, (double)o.failed * 100 / (double)o.calls,
		g->rules.error_rate_ppm / 10000.0);
	return 1;
}

static int too_slow(const struct guard *g, const struct watched *w, char *why, size_t size)
{
	struct histogram_sum now;
	uint64_t p99_us;

	if (!g->rules.p99_us)
		return 0;
	histogram_collect(&now, g->config.region, w->slot, HISTOGRAM_FIRST_BYTE);
	histogram_subtract(&now, &w->first_byte);
	if (now.count == 0 || now.count < g->rules.minimum_calls)
		return 0;
	p99_us = histogram_quantile_ns(&now, P99) / 1000;
	if (p99_us < g->rules.p99_us)
		return 0;
	snprintf(
		why, size,
		"cluster %s: p99 of the time to the first byte is %.1f ms over %lu calls since the "
		"change, rollback_if allows less than %.1f ms",
		w->name, (double)p99_us / 1000, now.count, g->rules.p99_us / 1000.0);
	return 1;
}

static void on_look(uv_timer_t *timer)
{
	struct guard *g = timer->data;
	char why[320];

	for (uint32_t i = 0; i < g->count; i++) {
		const struct watched *w = &g->clusters[i];

		if (!too_many_errors(g, w, why, sizeof(why)) && !too_slow(g, w, why, sizeof(why)))
			continue;
		guard_stop(g);
		g->config.tripped(g->config.ctx, why);
		return;
	}
	if (monotonic_ns() < g->end_ns)
		return;
	guard_stop(g);
	log_info("policy", "event=guard_passed watched_ms=%u", g->rules.watch_ms);
}

/* Return 1 when there is something to watch. */
static int begin(struct watched *w, const struct region *region, const char *name, uint64_t key)
{
	snprintf(w->name, sizeof(w->name), "%s", name);
	w->slot = registry_find(region->cluster_registry, region->shape.cluster_slots, key);
	if (w->slot == REGISTRY_NONE)
		return 0;
	w->begun = outcome_of(region, w->slot);
	histogram_collect(&w->first_byte, region, w->slot, HISTOGRAM_FIRST_BYTE);
	return 1;
}

static void watch(struct guard *g, const struct image_header *policy, uint64_t end_ns)
{
	const struct image_cluster *c = IMAGE_ARRAY(policy, struct image_cluster, clusters);

	guard_stop(g);
	g->rules = policy->guard;
	if (!g->rules.watch_ms || !(g->rules.error_rate_ppm || g->rules.p99_us))
		return;
	g->clusters = calloc(policy->clusters.count + 1, sizeof(*g->clusters));
	if (!g->clusters) {
		log_error("policy", "event=not_guarded error=\"out of memory\"");
		return;
	}
	for (uint32_t i = 0; i < policy->clusters.count; i++)
		g->count += begin(&g->clusters[g->count], g->config.region,
				  image_string(policy, c[i].name), c[i].key);
	g->end_ns = end_ns;
	uv_timer_start(&g->timer, on_look, GUARD_LOOK_MS, GUARD_LOOK_MS);
}

void guard_watch(struct guard *g, const struct image_header *policy)
{
	watch(g, policy, monotonic_ns() + policy->guard.watch_ms * NS_A_MS);
}

void guard_resume(struct guard *g, const struct image_header *policy, uint64_t end_ns)
{
	const uint64_t now_ns = monotonic_ns();

	/* The file it comes from may say anything. */
	if (end_ns <= now_ns || end_ns - now_ns > policy->guard.watch_ms * NS_A_MS)
		return;
	watch(g, policy, end_ns);
	log_info("policy", "event=guard_resumed for_ms=%llu",
		 (unsigned long long)((end_ns - now_ns) / NS_A_MS));
}

uint64_t guard_end_ns(const struct guard *g)
{
	return g->clusters ? g->end_ns : 0;
}

void guard_stop(struct guard *g)
{
	uv_timer_stop(&g->timer);
	free(g->clusters);
	g->clusters = NULL;
	g->count = 0;
}

int guard_create(struct guard **out, const struct guard_config *config)
{
	struct guard *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->config = *config;
	uv_timer_init(config->loop, &g->timer);
	g->timer.data = g;
	*out = g;
	return 0;
}

void guard_free(struct guard *g)
{
	if (!g)
		return;
	free(g->clusters);
	free(g);
}
