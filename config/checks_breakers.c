/* SPDX-License-Identifier: Apache-2.0 */
/* Circuit breakers, outlier detection and bulkheads. */
#include "config/checks.h"

static void check_spans(struct check *c, const struct policy_breaker *b,
			const struct policy_timeouts *timeouts)
{
	uint64_t connect_ms = timeouts->connect_ms;
	char found[VALUE_TEXT_BYTES], bound[VALUE_TEXT_BYTES];

	if (b->max_open_ms < b->open_ms)
		yaml_error(c->d, check_at(&b->map, "max_open_for"),
			   "max_open_for is %s, shorter than open_for; expected at least %s",
			   check_duration(b->max_open_ms, found),
			   check_duration(b->open_ms, bound));
	if (b->half_open.timeout_ms < connect_ms && check_given(&timeouts->map, "connect"))
		yaml_error(c->d, check_at(&b->half_open.map, "timeout"),
			   "timeout is %s, shorter than timeouts.connect, so that a probe may not "
			   "be over by then; expected at least %s",
			   check_duration(b->half_open.timeout_ms, found),
			   check_duration(connect_ms, bound));
}

static void check_breaker(struct check *c, const struct policy_breaker *b,
			  const struct policy_bulkhead *bulkhead, const char *bulkhead_name)
{
	uint64_t probes = b->half_open.probes, limit = check_limit(bulkhead);

	if (b->window.calls != 0 && b->minimum_calls > b->window.calls)
		yaml_error(c->d, check_at(&b->map, "minimum_calls"),
			   "minimum_calls is %llu, more than the window holds; expected at most "
			   "%llu, or a larger window",
			   (unsigned long long)b->minimum_calls,
			   (unsigned long long)b->window.calls);
	if (limit != 0 && probes > limit)
		yaml_error(c->d, check_at(&b->half_open.map, "probes"),
			   "probes is %llu, more than %s.max_concurrent, which is %llu; expected "
			   "at most %llu",
			   (unsigned long long)probes, bulkhead_name, (unsigned long long)limit,
			   (unsigned long long)limit);
}

static bool can_open(const struct policy_breaker *b)
{
	return b->failure_rate != 0 || b->consecutive_failures != 0 ||
	       (b->slow_call.threshold_us != 0 && b->slow_call.rate != 0);
}

void check_breakers(struct check *c)
{
	for (size_t i = 0; i < c->policy->clusters.count; i++) {
		const struct policy_cluster *cluster = &c->policy->clusters.items[i];
		const struct policy_breaker *b = &cluster->circuit_breaker;
		const struct policy_outlier *o = &cluster->outlier_detection;

		if (check_sound(&b->map)) {
			check_breaker(c, b, &cluster->bulkhead, "bulkhead");
			check_spans(c, b, &cluster->timeouts);
			if (!can_open(b))
				yaml_warning(c->d, b->map.node,
					     "every rule is off: it never opens");
		}
		if (check_sound(&o->breaker.map)) {
			check_breaker(c, &o->breaker, &cluster->endpoint_bulkhead,
				      "endpoint_bulkhead");
			check_spans(c, &o->breaker, &cluster->timeouts);
			if (!can_open(&o->breaker) && o->statistics.modes == 0)
				yaml_warning(c->d, o->breaker.map.node,
					     "every rule is off: it never ejects");
		}
	}
}

/* @expected: where max_concurrent is missing. */
static void check_bulkhead(struct check *c, const struct policy_bulkhead *b, const char *expected)
{
	if (!check_sound(&b->map))
		return;
	if (b->max_concurrent == 0 && (b->share == 0 || b->max_queue != 0))
		check_missing(c, &b->map, "max_concurrent", expected);
	if (b->scope == SCOPE_SOURCE && b->max_queue != 0)
		yaml_error(c->d, check_at(&b->map, "max_queue"),
			   "a bulkhead of each source has no queue; expected scope: cluster, or "
			   "max_queue: 0");
	else if (b->max_queue == 0 && check_given(&b->map, "queue_timeout"))
		yaml_error(c->d, check_at(&b->map, "queue_timeout"),
			   "without a queue nothing waits; expected max_queue of at least 1, or "
			   "not to find this key");
}

void check_bulkheads(struct check *c)
{
	static const char queued[] = "how many at once; the classic choice is max_concurrent: 10, "
				     "max_queue: 20, queue_timeout: 1s";
	static const char plain[] = "how many at once, for example max_concurrent: 10";
	const struct policy *p = c->policy;

	for (size_t i = 0; i < p->listeners.count; i++)
		check_bulkhead(c, &p->listeners.items[i].bulkhead, queued);
	for (size_t i = 0; i < p->clusters.count; i++) {
		check_bulkhead(c, &p->clusters.items[i].bulkhead, queued);
		check_bulkhead(c, &p->clusters.items[i].endpoint_bulkhead, plain);
	}
}
