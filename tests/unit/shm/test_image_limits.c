/* SPDX-License-Identifier: Apache-2.0 */
/* Rate limits, shared interfaces and the guard in an image: what image_check() takes. */
#include "shm/image.h"

#include <errno.h>

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
#define LIMIT(field, value) ROW(listeners[0].rate_limit.field, value)
#define NONE(field, value)  ROW(listeners[1].rate_limit.field, value)
#define GUARD(field, value) ROW(header.guard.field, value)

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
	free(s);
	return error;
}

/* The sample: packets 20000/s, burst 40000; bytes 10 MiB/s; source 200/s; listener 5/s, 500 ms. */
static const struct row refused[] = {
	LIMIT(packets.rate, 0),
	LIMIT(packets.rate, MAX_LIMIT_RATE + 1),
	LIMIT(packets.rate, UINT64_MAX),
	LIMIT(packets.burst, 0),
	LIMIT(packets.burst, 20000ull * MAX_LIMIT_FILL_S + 1),
	LIMIT(packets.burst, UINT64_MAX),
	LIMIT(bytes.burst, MAX_LIMIT_BURST + 1),
	LIMIT(packets.window_ms, 1000),
	LIMIT(packets.algorithm, IMAGE_LIMIT_NONE),
	LIMIT(packets.algorithm, IMAGE_LIMIT_FIXED_WINDOW),
	LIMIT(packets.algorithm, IMAGE_LIMIT_SLIDING_WINDOW + 1),
	LIMIT(packets.algorithm, 255),
	LIMIT(packets.pad[0], 1),
	LIMIT(bytes.pad[2], 1),
	LIMIT(source.rate, 0),
	LIMIT(source.rate, 1ull << 33),
	LIMIT(source.rate, MAX_LIMIT_RATE),
	LIMIT(source.burst, 1),
	LIMIT(source.window_ms, 0),
	LIMIT(source.window_ms, MIN_LIMIT_WINDOW_MS - 1),
	LIMIT(source.window_ms, MAX_LIMIT_WINDOW_MS + 1),
	LIMIT(source.algorithm, IMAGE_LIMIT_LEAKY_BUCKET),
	LIMIT(listener.rate, 1), /* half a connection a window */
	LIMIT(listener.window_ms, 199),
	LIMIT(action, IMAGE_LIMIT_OBSERVE + 1),
	LIMIT(directions, 0),
	LIMIT(directions, 4),
	LIMIT(source_action, IMAGE_LIMIT_MARK),
	LIMIT(source_action, 3),
	LIMIT(listener_action, IMAGE_LIMIT_MARK),
	LIMIT(pad, 1),
	NONE(packets.rate, 1),
	NONE(source.window_ms, 1),
	NONE(action, IMAGE_LIMIT_OBSERVE),
	NONE(directions, IMAGE_LIMIT_TO_CLIENT),
	NONE(source_action, IMAGE_LIMIT_OBSERVE),
	NONE(listener_action, IMAGE_LIMIT_OBSERVE),

	GUARD(watch_ms, 0), /* with thresholds */
	GUARD(watch_ms, MAX_GUARD_WATCH_MS + 1),
	GUARD(error_rate_ppm, 1000001),
	GUARD(p99_us, MAX_GUARD_P99_US + 1),
	GUARD(minimum_calls, 0),
	GUARD(minimum_calls, MAX_GUARD_CALLS + 1),

	ROW(header.sidecar.on_dataplane_loss, ON_LOSS_PASS + 1),
	ROW(header.sidecar.pad, 1),
	ROW(interfaces[0].shared, 0), /* and the kernel is to take over */
	ROW(interfaces[0].shared, 2),
	ROW(interfaces[0].kind, DEVICE_PCI),  /* shared */
	ROW(interfaces[1].kind, DEVICE_VDEV), /* limiter xdp */
	ROW(interfaces[1].shared, 1),         /* with an address of the kernel */
	ROW(interfaces[1].limiter, LIMITER_NONE + 1),
	ROW(interfaces[0].pad0, 1),
	ROW(interfaces[0].pad1[1], 1),
	ROW(addresses[4].flags, 2),
	ROW(addresses[4].flags, UINT32_MAX),
	ROW(addresses[0].flags, ADDRESS_KERNEL), /* of a shared interface */
	ROW(addresses[2].flags, ADDRESS_KERNEL), /* endpoints are reached from it */
};

static const struct row accepted[] = {
	LIMIT(packets.rate, 1), /* a burst of less than a day */
	LIMIT(packets.rate, MAX_LIMIT_RATE),
	LIMIT(packets.burst, 1),
	LIMIT(packets.burst, 20000ull * MAX_LIMIT_FILL_S),
	LIMIT(bytes.burst, 10485760ull * MAX_LIMIT_FILL_S),
	LIMIT(packets.algorithm, IMAGE_LIMIT_LEAKY_BUCKET),
	LIMIT(source.rate, 1),
	LIMIT(source.rate, MAX_LIMIT_COUNT),
	LIMIT(source.window_ms, MIN_LIMIT_WINDOW_MS),
	LIMIT(source.window_ms, MAX_LIMIT_WINDOW_MS),
	LIMIT(listener.window_ms, 200),
	LIMIT(action, IMAGE_LIMIT_DROP),
	LIMIT(action, IMAGE_LIMIT_OBSERVE),
	LIMIT(directions, IMAGE_LIMIT_TO_CLIENT),
	LIMIT(source_action, IMAGE_LIMIT_OBSERVE),
	GUARD(watch_ms, 1),
	GUARD(watch_ms, MAX_GUARD_WATCH_MS),
	GUARD(error_rate_ppm, 0),
	GUARD(error_rate_ppm, 1000000),
	GUARD(p99_us, 0),
	GUARD(p99_us, MAX_GUARD_P99_US),
	GUARD(minimum_calls, MAX_GUARD_CALLS),
	ROW(header.sidecar.on_dataplane_loss, ON_LOSS_DROP),
	ROW(interfaces[0].limiter, LIMITER_NONE),
	ROW(interfaces[1].limiter, LIMITER_DPDK),
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

/* One policy has one image: nothing may hide in a limit that is absent. */
static void absent_limits_are_zero_throughout(void)
{
	const size_t from = offsetof(struct sample, listeners[1].rate_limit);

	for (size_t i = 0; i < sizeof(struct image_rate_limit); i++) {
		const struct row row = {"absent", from + i, 1, 1};

		CU_ASSERT_EQUAL(check_row(&row), -EINVAL);
	}
}

static void udp_flows_are_limited_only_with_their_starts(void)
{
	const struct image_limit limit = {
		.rate = 10, .burst = 10, .algorithm = IMAGE_LIMIT_TOKEN_BUCKET};
	struct sample *s = sample_make(SAMPLE_MAGLEV, 5);
	struct image_rate_limit *r = &s->listeners[2].rate_limit; /* dns */

	*r = (struct image_rate_limit){.source = limit};
	CU_ASSERT_EQUAL(check(s), 0);
	*r = (struct image_rate_limit){
		.packets = limit, .source = limit, .directions = IMAGE_LIMIT_TO_ENDPOINT};
	CU_ASSERT_EQUAL(check(s), -EINVAL);
	r->listener = limit;
	CU_ASSERT_EQUAL(check(s), 0);
	r->source = (struct image_limit){0};
	CU_ASSERT_EQUAL(check(s), -EINVAL);
	r->source = limit;
	r->action = IMAGE_LIMIT_MARK;
	CU_ASSERT_EQUAL(check(s), -EINVAL);
	free(s);
}

static void a_guard_watches_something(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 5);

	s->header.guard.error_rate_ppm = 0;
	s->header.guard.p99_us = 0;
	CU_ASSERT_EQUAL(check(s), -EINVAL);
	s->header.guard = (struct image_guard){0};
	CU_ASSERT_EQUAL(check(s), 0);
	free(s);
}

static void no_listener_is_bound_to_an_address_of_the_kernel(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 5);

	s->listeners[2].interface = 1; /* sorted: the last */
	CU_ASSERT_EQUAL(check(s), 0);
	s->addresses[4].ip = s->listeners[2].ip = sample_ip("fd02::3");
	s->addresses[4].family = FAMILY_V6;
	CU_ASSERT_EQUAL(check(s), -EINVAL);
	s->addresses[4].ip = sample_ip("fd02::4");
	CU_ASSERT_EQUAL(check(s), 0);
	free(s);
}

static const struct test tests[] = {
	TEST(every_value_out_of_bounds_is_refused),
	TEST(every_value_at_its_bound_is_accepted),
	TEST(absent_limits_are_zero_throughout),
	TEST(udp_flows_are_limited_only_with_their_starts),
	TEST(a_guard_watches_something),
	TEST(no_listener_is_bound_to_an_address_of_the_kernel),
};

int main(void)
{
	return suite_run("image_limits", tests, sizeof(tests) / sizeof(tests[0]));
}
