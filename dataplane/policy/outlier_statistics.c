/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/outlier.h"

#include <math.h>
#include <string.h>

#define DEVIATIONS  1.9
#define POINTS      0.05
#define MAD_FACTOR  (5 * 1.4826)
#define MINIMUM_GAP 1e6 /* ns */

static double rate_of(const struct outlier_sample *s)
{
	return (double)(s->calls - s->failed) / (double)s->calls;
}

static int has_rate(const struct image_outlier *rules, const struct outlier_sample *s)
{
	return s->calls > 0 && s->calls >= rules->minimum_calls && s->failed <= s->calls;
}

static int has_latency(const struct image_outlier *rules, const struct outlier_sample *s)
{
	return s->calls >= rules->minimum_calls && s->median_ns > 0;
}

uint32_t outlier_success_rate(const struct image_outlier *rules, const struct outlier_sample *s,
			      uint32_t n, uint8_t *out)
{
	double sum = 0, squares = 0, mean, stdev;
	uint32_t hosts = 0, fallen = 0;

	memset(out, 0, n);
	for (uint32_t i = 0; i < n; i++) {
		if (!has_rate(rules, &s[i]))
			continue;
		sum += rate_of(&s[i]);
		hosts++;
	}
	if (hosts == 0 || hosts < rules->minimum_hosts)
		return 0;
	mean = sum / hosts;
	for (uint32_t i = 0; i < n; i++)
		if (has_rate(rules, &s[i]))
			squares += (rate_of(&s[i]) - mean) * (rate_of(&s[i]) - mean);
	stdev = sqrt(squares / hosts);
	for (uint32_t i = 0; i < n; i++) {
		if (!has_rate(rules, &s[i]))
			continue;
		out[i] = rate_of(&s[i]) < mean - DEVIATIONS * stdev &&
			 rate_of(&s[i]) <= mean - POINTS;
		fallen += out[i];
	}
	return fallen;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* The @rank-th smallest (0: the least) of |median - from|, by bisection: no room to sort in. */
static uint64_t ranked(const struct image_outlier *rules, const struct outlier_sample *s,
		       uint32_t n, uint64_t from, uint32_t rank)
{
	uint64_t low = 0, high = UINT64_MAX;

	while (low < high) {
		uint64_t mid = low + (high - low) / 2;
		uint32_t below = 0;

		for (uint32_t i = 0; i < n; i++)
			below += has_latency(rules, &s[i]) && distance(s[i].median_ns, from) <= mid;
		if (below > rank)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static double median_of(const struct image_outlier *rules, const struct outlier_sample *s,
			uint32_t n, uint64_t from)
{
	uint32_t hosts = 0;

	for (uint32_t i = 0; i < n; i++)
		hosts += has_latency(rules, &s[i]) != 0;
	return ((double)ranked(rules, s, n, from, (hosts - 1) / 2) +
		(double)ranked(rules, s, n, from, hosts / 2)) /
	       2;
}

uint32_t outlier_latency(const struct image_outlier *rules, const struct outlier_sample *s,
			 uint32_t n, uint8_t *out)
{
	uint32_t hosts = 0, fallen = 0;
	double m, limit;

	memset(out, 0, n);
	for (uint32_t i = 0; i < n; i++)
		hosts += has_latency(rules, &s[i]) != 0;
	if (hosts == 0 || hosts < rules->minimum_hosts)
		return 0;
	m = median_of(rules, s, n, 0);
	limit = m + MAD_FACTOR * median_of(rules, s, n, (uint64_t)m);
	limit = fmax(limit, fmax(2 * m, m + MINIMUM_GAP));
	for (uint32_t i = 0; i < n; i++) {
		out[i] = has_latency(rules, &s[i]) && (double)s[i].median_ns > limit;
		fallen += out[i];
	}
	return fallen;
}

/* Intervals count from 1: 0 is fresh memory. */
static uint32_t interval_at(const struct image_outlier *rules, uint64_t now_ns)
{
	return (uint32_t)(now_ns / (rules->interval_ms * 1000000ull)) + 1;
}

static void put32(uint32_t *at, uint32_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
}

void outlier_note(struct outcomes *o, const struct image_outlier *rules, int failed,
		  uint64_t latency_ns, uint64_t now_ns)
{
	uint32_t interval;

	if (!rules->statistics || !rules->interval_ms)
		return;
	interval = interval_at(rules, now_ns);
	if (o->interval != interval) {
		/* Nobody's while it is cleared. */
		put32(&o->interval, 0);
		put32(&o->failed, 0);
		put32(&o->calls, 0);
		o->latencies = 0;
		for (uint32_t i = 0; i < LATENCY_BUCKETS; i++)
			__atomic_store_n(&o->latency[i], 0, __ATOMIC_RELEASE);
		put32(&o->interval, interval);
	}
	put32(&o->calls, o->calls + 1);
	if (failed)
		put32(&o->failed, o->failed + 1);
	if (latency_ns)
		latency_add(o, latency_ns);
}

/* Add a worker's interval, if it still is that one. */
static void add_worker(const struct outcomes *o, uint32_t interval, struct outlier_sample *s,
		       uint32_t sum[LATENCY_BUCKETS])
{
	uint32_t counts[LATENCY_BUCKETS], calls, failed;

	/* Acquire all: pairs with the stores of outlier_note() and latency_add(). */
	if (__atomic_load_n(&o->interval, __ATOMIC_ACQUIRE) != interval)
		return;
	failed = __atomic_load_n(&o->failed, __ATOMIC_ACQUIRE);
	calls = __atomic_load_n(&o->calls, __ATOMIC_ACQUIRE);
	for (uint32_t i = 0; i < LATENCY_BUCKETS; i++)
		counts[i] = __atomic_load_n(&o->latency[i], __ATOMIC_ACQUIRE);
	if (__atomic_load_n(&o->interval, __ATOMIC_ACQUIRE) != interval)
		return;
	s->calls += calls;
	s->failed += failed;
	for (uint32_t i = 0; i < LATENCY_BUCKETS; i++)
		sum[i] += counts[i];
}

static void collect(const struct policy_state *s, uint32_t slot, uint32_t interval,
		    struct outlier_sample *sample)
{
	uint32_t sum[LATENCY_BUCKETS] = {0};

	*sample = (struct outlier_sample){0};
	for (uint32_t w = 0; w < s->workers; w++)
		add_worker(&s->endpoint_outcomes[(size_t)w * s->endpoint_slots + slot], interval,
			   sample, sum);
	sample->median_ns = latency_median_ns(sum);
}

static void tell(const struct ejection *e, const struct breaker *b, enum breaker_edge edge)
{
	uint64_t word = __atomic_load_n(b->word, __ATOMIC_RELAXED);
	struct event event = {
		.at_ns = e->now_ns,
		.kind = edge == EDGE_OPENED ? EVENT_EJECTED : EVENT_EJECTION_REFUSED,
		.subject = SUBJECT_ENDPOINT,
		.slot = e->v->endpoint_slot[e->endpoint],
		.key = e->v->endpoints[e->endpoint].key,
		.detail = breaker_open_left_ns(word, e->now_ns) / 1000000,
		.observed = b->rules->mode == MODE_OBSERVE,
	};

	if (e->s->events && (edge == EDGE_OPENED || edge == EDGE_REFUSED))
		event_write(e->s->events, &event);
}

static void eject(const struct ejection *at, uint64_t random, struct outlier_judged *judged)
{
	struct ejection e = *at;
	struct breaker b = outlier_breaker(&e);
	enum breaker_edge edge = breaker_eject(&b, e.now_ns, random);

	tell(&e, &b, edge);
	judged->ejected += edge == EDGE_OPENED;
	judged->refused += edge == EDGE_REFUSED;
}

/* The interval to judge now, see the header. */
static uint32_t due(const struct image_outlier *rules, uint64_t now_ns)
{
	uint64_t interval_ns = rules->interval_ms * 1000000ull;
	uint32_t current = interval_at(rules, now_ns);

	return now_ns % interval_ns >= interval_ns - interval_ns / 4 ? current : current - 1;
}

struct outlier_judged outlier_interval(const struct policy_view *v, const struct policy_state *s,
				       uint32_t cluster, uint32_t *last_interval, uint64_t now_ns,
				       struct random *random)
{
	/* Too large for a stack; one caller at a time. */
	static struct outlier_sample samples[MAX_ENDPOINTS];
	static uint8_t by_rate[MAX_ENDPOINTS], by_latency[MAX_ENDPOINTS];
	const struct image_cluster *c = &v->clusters[cluster];
	const struct image_outlier *rules = &c->outlier;
	struct ejection e = {.v = v, .s = s, .cluster = cluster, .now_ns = now_ns};
	struct outlier_judged judged = {0};
	uint32_t interval;

	if (rules->breaker.mode == MODE_OFF || !rules->statistics || !rules->interval_ms)
		return judged;
	interval = due(rules, now_ns);
	if (interval == *last_interval)
		return judged;
	*last_interval = interval;
	for (uint32_t i = 0; i < c->endpoint_count; i++)
		collect(s, v->endpoint_slot[c->first_endpoint + i], interval, &samples[i]);
	memset(by_rate, 0, c->endpoint_count);
	memset(by_latency, 0, c->endpoint_count);
	if (rules->statistics & OUTLIER_SUCCESS_RATE)
		outlier_success_rate(rules, samples, c->endpoint_count, by_rate);
	if (rules->statistics & OUTLIER_LATENCY)
		outlier_latency(rules, samples, c->endpoint_count, by_latency);
	for (uint32_t i = 0; i < c->endpoint_count; i++) {
		e.endpoint = c->first_endpoint + i;
		if (by_rate[i] || by_latency[i])
			eject(&e, random_next(random), &judged);
	}
	return judged;
}
