/* SPDX-License-Identifier: Apache-2.0 */
/* The policy blocks of an image: what image_check() takes and what it refuses. */
#include "shm/image.h"

#include <errno.h>

#include "shm/breaker_word.h"
#include "tests/unit/shm/image_walk.h"
#include "tests/unit/shm/sample_image.h"
#include "tests/unit/shm/suite.h"

struct row {
	const char *field;
	size_t off;
	size_t bytes;
	uint64_t value;
};
#define ROW(field, value)                                                                          \
	{                                                                                          \
#field, offsetof(struct sample, field), sizeof(((struct sample *)0)->field), value \
	}
#define ORDERS(field, value) ROW(clusters[0].field, value)
#define CACHE(field, value)  ROW(clusters[4].field, value)

static char why[160];

static int check(struct sample *s)
{
	image_seal(&s->header, 0);
	why[0] = 0;
	return image_check(s, s->header.length, why, sizeof(why));
}

static int check_row(const struct row *row)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 5);
	int error;

	memcpy((uint8_t *)s + row->off, &row->value, row->bytes);
	error = check(s);
	if (error == 0)
		image_walk(&s->header);
	free(s);
	return error;
}

static const struct row refused[] = {
	ORDERS(balance.bounded_load, 99),
	ORDERS(balance.bounded_load, 1001),
	ORDERS(balance.panic_threshold, 10001),
	ORDERS(balance.slow_start_ms, MAX_TIMEOUT_MS + 1u),
	ORDERS(balance.has_zones, 1),
	ORDERS(balance.priorities, 0),
	ORDERS(balance.priorities, 2),
	ORDERS(balance.priorities, MAX_PRIORITIES + 1),

	ORDERS(breaker.mode, MODE_OFF),
	ORDERS(breaker.mode, MODE_OBSERVE + 1),
	ORDERS(breaker.window_kind, WINDOW_DURATION + 1),
	ORDERS(breaker.probes, 0),
	ORDERS(breaker.probes, BREAKER_MAX_PROBES + 1),
	ORDERS(breaker.successes, 0),
	ORDERS(breaker.successes, BREAKER_MAX_PROBES + 1),
	ORDERS(breaker.failure_rate, 10001),
	ORDERS(breaker.slow_rate, 10001),
	ORDERS(breaker.window, 0),
	ORDERS(breaker.window, MAX_WINDOW_CALLS + 10),
	ORDERS(breaker.window, 105),
	ORDERS(breaker.window, 10), /* minimum_calls is 20 */
	ORDERS(breaker.minimum_calls, 0),
	ORDERS(breaker.minimum_calls, 101),
	ORDERS(breaker.consecutive_failures, BREAKER_MAX_CONSECUTIVE + 1),
	ORDERS(breaker.open_ms, 0),
	ORDERS(breaker.open_ms, 60001),
	ORDERS(breaker.max_open_ms, 4999),
	ORDERS(breaker.max_open_ms, MAX_OPEN_MS + 1),
	ORDERS(breaker.half_open_ms, 0),
	ORDERS(breaker.half_open_ms, MAX_TIMEOUT_MS + 1u),
	ORDERS(breaker.pad, 1),

	ORDERS(outlier.breaker.mode, MODE_OFF),
	ORDERS(outlier.breaker.mode, 255),
	ORDERS(outlier.breaker.probes, 0),
	ORDERS(outlier.max_ejected, 10001),
	ORDERS(outlier.statistics, 4),
	ORDERS(outlier.pad0, 1),
	ORDERS(outlier.interval_ms, 0),
	ORDERS(outlier.interval_ms, MIN_WINDOW_MS - 1),
	ORDERS(outlier.interval_ms, MAX_TIMEOUT_MS + 1u),
	ORDERS(outlier.minimum_hosts, 0),
	ORDERS(outlier.minimum_hosts, MAX_ENDPOINTS + 1),
	ORDERS(outlier.minimum_calls, 0),

	ORDERS(bulkhead.mode, MODE_OFF),
	ORDERS(bulkhead.mode, 3),
	ORDERS(bulkhead.scope, SCOPE_SOURCE), /* with a queue */
	ORDERS(bulkhead.scope, SCOPE_SOURCE + 1),
	ORDERS(bulkhead.share, 10001),
	ORDERS(bulkhead.max_concurrent, 0), /* with a queue */
	ORDERS(bulkhead.max_concurrent, MAX_PERMITS + 1),
	ORDERS(bulkhead.max_queue, MAX_QUEUE + 1),
	ORDERS(bulkhead.queue_timeout_ms, 0),
	ORDERS(bulkhead.queue_timeout_ms, MAX_TIMEOUT_MS + 1u),
	ORDERS(bulkhead.pad[1], 1),

	ORDERS(endpoint_bulkhead.mode, MODE_OFF),
	ORDERS(endpoint_bulkhead.scope, SCOPE_SOURCE),
	ORDERS(endpoint_bulkhead.share, 1),
	ORDERS(endpoint_bulkhead.max_concurrent, 0),
	ORDERS(endpoint_bulkhead.max_queue, 1),
	ORDERS(endpoint_bulkhead.queue_timeout_ms, 1),

	ROW(listeners[0].bulkhead.mode, MODE_OFF),
	ROW(listeners[0].bulkhead.scope, SCOPE_SOURCE),
	ROW(listeners[0].bulkhead.share, 1),
	ROW(listeners[0].bulkhead.max_concurrent, 0),
	ROW(listeners[0].bulkhead.pad[0], 1),
	ROW(listeners[1].bulkhead.max_queue, 1), /* the block is absent */

	ORDERS(retry.mode, MODE_OFF),
	ORDERS(retry.mode, 3),
	ORDERS(retry.max_attempts, 0),
	ORDERS(retry.max_attempts, MAX_ATTEMPTS + 1),
	ORDERS(retry.on, 4),
	ORDERS(retry.jitter, JITTER_NONE + 1),
	ORDERS(retry.base_us, 250001),
	ORDERS(retry.factor_percent, 99),
	ORDERS(retry.factor_percent, 1001),
	ORDERS(retry.ratio, 10001),
	ORDERS(retry.pad0, 1),
	ORDERS(retry.window_ms, MIN_WINDOW_MS - 1),
	ORDERS(retry.window_ms, MAX_TIMEOUT_MS + 1u),
	ORDERS(retry.max_concurrent, MAX_PERMITS + 1),

	ORDERS(health.mode, MODE_OFF),
	ORDERS(health.mode, 3),
	ORDERS(health.type, HEALTH_HTTP + 1),
	ORDERS(health.initial_unhealthy, 2),
	ORDERS(health.healthy_threshold, 0),
	ORDERS(health.unhealthy_threshold, 0),
	ORDERS(health.path, 0), /* empty, for http */
	ORDERS(health.path, SAMPLE_STRING_BYTES),
	ORDERS(health.path, 0xffffffff),
	ORDERS(health.host, SAMPLE_STRING_BYTES),
	ORDERS(health.interval_ms, 0),
	ORDERS(health.interval_ms, MAX_TIMEOUT_MS + 1u),
	ORDERS(health.unhealthy_interval_ms, 0),
	ORDERS(health.unhealthy_interval_ms, MAX_TIMEOUT_MS + 1u),
	ORDERS(health.timeout_ms, 0),
	ORDERS(health.timeout_ms, MAX_TIMEOUT_MS + 1u),
	ORDERS(health.pad0, 1),
	ORDERS(health.pad1, 1),

	ORDERS(source.stale_ok, 1), /* a list */
	ORDERS(source.name, 1),
	CACHE(source.kind, SOURCE_LIST),
	CACHE(source.kind, SOURCE_DNS + 1),
	CACHE(source.stale_ok, 2),
	CACHE(source.name, 0),
	CACHE(source.name, SAMPLE_STRING_BYTES),
	CACHE(source.refresh_ms, 0),
	CACHE(source.refresh_ms, MAX_TIMEOUT_MS + 1u),
	CACHE(source.pad, 1),
};

/* At their bounds, everything else as in the sample. */
static const struct row accepted[] = {
	ORDERS(balance.bounded_load, 0),
	ORDERS(balance.bounded_load, 100),
	ORDERS(balance.bounded_load, 1000),
	ORDERS(balance.panic_threshold, 0),
	ORDERS(balance.panic_threshold, 10000),
	ORDERS(balance.slow_start_ms, MAX_TIMEOUT_MS),
	ORDERS(breaker.mode, MODE_OBSERVE),
	ORDERS(breaker.window_kind, WINDOW_DURATION),
	ORDERS(breaker.probes, BREAKER_MAX_PROBES),
	ORDERS(breaker.successes, 1),
	ORDERS(breaker.failure_rate, 0),
	ORDERS(breaker.failure_rate, 10000),
	ORDERS(breaker.window, 20),
	ORDERS(breaker.window, MAX_WINDOW_CALLS),
	ORDERS(breaker.minimum_calls, 100),
	ORDERS(breaker.consecutive_failures, BREAKER_MAX_CONSECUTIVE),
	ORDERS(breaker.slow_us, 0xffffffff),
	ORDERS(breaker.open_ms, 60000),
	ORDERS(breaker.max_open_ms, MAX_OPEN_MS),
	ORDERS(outlier.statistics, 0),
	ORDERS(outlier.max_ejected, 0),
	ORDERS(bulkhead.max_concurrent, MAX_PERMITS),
	ORDERS(bulkhead.max_queue, MAX_QUEUE),
	ORDERS(bulkhead.max_queue, 0),
	ORDERS(bulkhead.share, 0),
	ORDERS(retry.max_attempts, 1),
	ORDERS(retry.on, 0),
	ORDERS(retry.base_us, 0),
	ORDERS(retry.ratio, 0),
	ORDERS(health.type, HEALTH_NONE),
	ORDERS(health.type, HEALTH_TCP),
	ORDERS(health.mode, MODE_OBSERVE),
	ORDERS(members_hash, 1), /* a counted alarm of the adopter, no damage */
	CACHE(source.kind, SOURCE_FILE),
	CACHE(source.port, 443),
	ORDERS(algorithm, LB_RANDOM),
	ORDERS(algorithm, LB_LEAST_REQUESTS),
	ORDERS(algorithm, LB_PEAK_EWMA),
	ROW(clusters[1].algorithm, LB_RENDEZVOUS),
	ROW(clusters[1].timeouts.expect_reply_ms, MAX_TIMEOUT_MS),
};

static void every_value_out_of_bounds_is_refused(void)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		int error = check_row(&refused[i]);

		if (error != -EINVAL || !why[0])
			printf("%s = %llu: %d %s\n", refused[i].field,
			       (unsigned long long)refused[i].value, error, why);
		CU_ASSERT_EQUAL(error, -EINVAL);
		CU_ASSERT_NOT_EQUAL(why[0], 0);
	}
}

static void every_value_at_its_bound_is_accepted(void)
{
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		int error = check_row(&accepted[i]);

		if (error)
			printf("%s = %llu: %s\n", accepted[i].field,
			       (unsigned long long)accepted[i].value, why);
		CU_ASSERT_EQUAL(error, 0);
	}
}

/* One policy has one image: nothing may hide in a block that is off. */
static void an_absent_block_is_zero_throughout(void)
{
	const size_t from = offsetof(struct sample, clusters[1].breaker);
	const size_t to = offsetof(struct sample, clusters[2]);

	for (size_t off = from; off < to; off++) {
		const struct row row = {"absent", off, 1, 1};
		size_t in_cluster = off - offsetof(struct sample, clusters[1]);
		int is_mode = in_cluster == offsetof(struct image_cluster, health.mode);

		/* Checks of type none say nothing that could be wrong. */
		CU_ASSERT_EQUAL(check_row(&row), is_mode ? 0 : -EINVAL);
	}
}

static void a_share_alone_is_a_bulkhead(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 5);
	struct image_bulkhead *b = &s->clusters[1].bulkhead;

	*b = (struct image_bulkhead){.mode = MODE_ENFORCE, .share = 10000};
	CU_ASSERT_EQUAL(check(s), 0);
	b->share = 0;
	CU_ASSERT_EQUAL(check(s), -EINVAL);
	*b = (struct image_bulkhead){
		.mode = MODE_ENFORCE, .scope = SCOPE_SOURCE, .max_concurrent = 1};
	CU_ASSERT_EQUAL(check(s), 0);
	free(s);
}

static void a_window_in_time_may_need_more_calls_than_any_count_window(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 5);
	struct image_breaker *b = &s->clusters[0].breaker;

	b->window_kind = WINDOW_DURATION;
	b->window = MIN_WINDOW_MS;
	b->minimum_calls = 1000000;
	CU_ASSERT_EQUAL(check(s), 0);
	b->window = MIN_WINDOW_MS - 1;
	CU_ASSERT_EQUAL(check(s), -EINVAL);
	b->window = MAX_TIMEOUT_MS;
	CU_ASSERT_EQUAL(check(s), 0);
	b->window++;
	CU_ASSERT_EQUAL(check(s), -EINVAL);
	free(s);
}

static void priorities_and_zones_are_those_of_the_endpoints(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 5);
	struct image_cluster *c = &s->clusters[0];

	s->endpoints[1].priority = MAX_PRIORITIES - 1; /* a gap is allowed */
	c->balance.priorities = MAX_PRIORITIES;
	CU_ASSERT_EQUAL(check(s), 0);
	s->endpoints[0].local = 1;
	CU_ASSERT_EQUAL(check(s), -EINVAL);
	c->balance.has_zones = 1;
	CU_ASSERT_EQUAL(check(s), 0);
	s->endpoints[1].local = 1; /* all are */
	CU_ASSERT_EQUAL(check(s), -EINVAL);
	c->balance.has_zones = 0;
	CU_ASSERT_EQUAL(check(s), 0);
	s->clusters[3].balance.priorities = 0; /* no endpoints: still one level */
	CU_ASSERT_EQUAL(check(s), -EINVAL);
	free(s);
}

static void points_may_be_equal(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 5);
	uint64_t *points = (uint64_t *)((uint8_t *)s + s->header.points.off);

	for (uint32_t i = 0; i < SAMPLE_POINTS; i++)
		points[i] = UINT64_MAX;
	CU_ASSERT_EQUAL(check(s), 0);
	points[SAMPLE_POINTS - 1]--;
	CU_ASSERT_EQUAL(check(s), -EINVAL);
	free(s);
}

/* orders as a ring of its own in front of cache's; with three points each. */
static struct sample *two_rings(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 5);
	const uint32_t more = SAMPLE_POINTS * 8;
	uint8_t *points;

	s = realloc(s, s->header.length + more);
	if (!s)
		abort();
	points = (uint8_t *)s + s->header.points.off;
	memmove(points + more, points, s->header.length - s->header.points.off);
	s->header.points.count += SAMPLE_POINTS;
	s->header.strings.off += more;
	s->header.length += more;
	s->clusters[0].algorithm = LB_RING_HASH;
	s->clusters[0].hash_on = HASH_ON_SOURCE_IP;
	s->clusters[4].point_first = SAMPLE_POINTS;
	return s;
}

static void rings_stand_one_after_the_other_or_are_shared_whole(void)
{
	struct sample *s = two_rings();
	struct image_cluster *c = &s->clusters[2]; /* as many endpoints as orders */

	CU_ASSERT_EQUAL(check(s), 0);
	c->algorithm = LB_RING_HASH; /* with orders' table and points */
	c->hash_on = HASH_ON_SOURCE_IP;
	CU_ASSERT_EQUAL(check(s), 0);
	CU_ASSERT(image_walk(&s->header) > 0);
	c->point_first = 1;
	CU_ASSERT_EQUAL(check(s), -EINVAL);
	c->point_first = SAMPLE_POINTS; /* orders' table, cache's points */
	CU_ASSERT_EQUAL(check(s), -EINVAL);
	free(s);

	s = two_rings();
	s->clusters[4].point_first = 0;
	CU_ASSERT_EQUAL(check(s), -EINVAL);
	free(s);
}

static void members_hash_follows_key_weight_priority_and_order(void)
{
	struct image_endpoint e[2] = {{.key = 5, .weight = 1}, {.key = 6, .weight = 1}};
	const uint64_t hash = image_members_hash(e, 2);
	struct image_endpoint swapped[2] = {e[1], e[0]};

	CU_ASSERT_EQUAL(image_members_hash(e, 2), hash);
	CU_ASSERT_NOT_EQUAL(image_members_hash(swapped, 2), hash);
	CU_ASSERT_NOT_EQUAL(image_members_hash(e, 1), hash);
	CU_ASSERT_NOT_EQUAL(image_members_hash(e, 0), image_members_hash(e, 1));
	e[1].weight = MAX_WEIGHT;
	CU_ASSERT_NOT_EQUAL(image_members_hash(e, 2), hash);
	e[1].weight = 1;
	e[1].priority = 1;
	CU_ASSERT_NOT_EQUAL(image_members_hash(e, 2), hash);
	e[1].priority = 0;
	e[1].local = 1; /* no table depends on it */
	e[1].interface = 3;
	CU_ASSERT_EQUAL(image_members_hash(e, 2), hash);
}

static const struct test tests[] = {
	TEST(every_value_out_of_bounds_is_refused),
	TEST(every_value_at_its_bound_is_accepted),
	TEST(an_absent_block_is_zero_throughout),
	TEST(a_share_alone_is_a_bulkhead),
	TEST(a_window_in_time_may_need_more_calls_than_any_count_window),
	TEST(priorities_and_zones_are_those_of_the_endpoints),
	TEST(points_may_be_equal),
	TEST(rings_stand_one_after_the_other_or_are_shared_whole),
	TEST(members_hash_follows_key_weight_priority_and_order),
};

int main(void)
{
	return suite_run("image_policy", tests, sizeof(tests) / sizeof(tests[0]));
}
