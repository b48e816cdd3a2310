/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/stats_limits.h"

#include <errno.h>
#include <stdlib.h>

#include "controlplane/limits.h"
#include "shm/limit_counters.h"
#include "shm/registry.h"

_Static_assert((int)WORKER_LIMIT_SLOTS == (int)LIMIT_COUNTER_SLOTS &&
		       (int)WORKER_LIMIT_EVENT_SLOTS == (int)LIMIT_EVENT_SLOTS,
	       "the two are added");

static void add_workers(struct limit_counters *sum, const struct region *region, uint32_t slot)
{
	for (uint32_t w = 0; w < region->shape.workers; w++) {
		const struct worker_limit_counters *c = region_limit_counters(region, w, slot);

		for (int i = 0; i < LIMIT_COUNTER_SLOTS; i++) {
			sum->packets[i] += counter_read(&c->packets[i]);
			sum->bytes[i] += counter_read(&c->bytes[i]);
		}
		for (int i = 0; i < LIMIT_EVENT_SLOTS; i++)
			sum->events[i] += counter_read(&c->events[i]);
	}
}

static void collect_listeners(struct stats *stats, const struct region *region,
			      const struct limits *maps)
{
	const struct image_header *policy = stats->policy;
	const struct image_listener *rows = IMAGE_ARRAY(policy, struct image_listener, listeners);

	for (uint32_t i = 0; i < policy->listeners.count; i++) {
		uint32_t slot = registry_find(region->listener_registry,
					      region->shape.listener_slots, rows[i].key);
		struct limit_counters *sum = &stats->limits->listeners[i];

		if (slot == REGISTRY_NONE)
			continue;
		if (maps && limits_listener_counters(maps, slot, sum))
			stats->limits->readable = 0;
		add_workers(sum, region, slot);
	}
}

static void collect_interfaces(struct stats *stats, const struct region *region,
			       const struct limits *maps, const char *fallback)
{
	const struct image_interface *rows =
		IMAGE_ARRAY(stats->policy, struct image_interface, interfaces);

	for (uint32_t i = 0; i < stats->policy->interfaces.count; i++) {
		struct stats_limit_interface *to = &stats->limits->interface[i];
		const struct interface_control *control = &region->interfaces[i];

		to->limiter = control->limiter;
		if (rows[i].kind == DEVICE_AF_XDP && rows[i].limiter == LIMITER_AUTO &&
		    control->limiter == LIMITER_DPDK)
			to->fallback = fallback ? fallback : "decided when the dataplane started";
		if (maps && control->program == PROGRAM_FENDER &&
		    limits_interface_counters(maps, (uint8_t)i, &to->counters))
			stats->limits->readable = 0;
	}
}

int stats_limits_times(struct histogram_sum times[LIMIT_HOOKS], const struct region *region,
		       const struct limits *maps)
{
	times[LIMIT_HOOK_XDP] = (struct histogram_sum){.finer = HISTOGRAM_FINER};
	histogram_collect_verdicts(&times[LIMIT_HOOK_WORKER], region);
	return maps ? limits_verdict_times(maps, &times[LIMIT_HOOK_XDP]) : 0;
}

const char *stats_limits_hook_name(unsigned int hook)
{
	return hook == LIMIT_HOOK_XDP ? "xdp" : "worker";
}

int stats_limits_collect(struct stats *stats, const struct region *region,
			 const struct limits *maps, const char *fallback)
{
	stats->limits = calloc(1, sizeof(*stats->limits));
	if (!stats->limits)
		return -ENOMEM;
	stats->limits->readable = 1;
	stats->limits->listeners =
		calloc(stats->policy->listeners.count + 1, sizeof(*stats->limits->listeners));
	if (!stats->limits->listeners) {
		free(stats->limits);
		stats->limits = NULL;
		return -ENOMEM;
	}
	collect_listeners(stats, region, maps);
	collect_interfaces(stats, region, maps, fallback);
	if (stats_limits_times(stats->limits->times, region, maps) != 0)
		stats->limits->readable = 0;
	return 0;
}
